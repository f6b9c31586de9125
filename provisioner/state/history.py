"""
What happened to a stack: the runs that changed something, and the states they replaced.

Both are in the folder `STACK.history` beside the state: `runs.json`, whose shape is
`schemas/history.schema.json`, and a file for each version that is kept, named by its serial.
They are there for people; nothing is decided by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import orjson
from msgspec import Struct
from msgspec.structs import replace

from provisioner.cache import Json
from provisioner.documents import newer, utf8
from provisioner.errors import StateError, StateNewer
from provisioner.state.blocks import Block, Misshapen, UnknownKey, block, count, moment, text
from provisioner.storage import Backend, StoredFile
from provisioner.times import moment_text

VERSION = 1
RUNS = 200
"""So many runs are remembered, and before them those whose states are still kept."""
VERSIONS = 10
"""So many earlier states are kept."""
UNFINISHED = "unfinished"

_FORM = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_DOCUMENT = frozenset({"version", "stack", "runs"})
_RUN = frozenset(
    {"run", "who", "operation", "at", "commit", "job", "fingerprint", "outcome", "kept"}
)


class PastRun(Struct, frozen=True, kw_only=True):
    """A run that changed something, or tried to."""

    run: str
    who: str
    operation: str
    at: datetime
    commit: str | None
    job: str | None
    fingerprint: str | None
    outcome: str
    """In words; `unfinished` if it never told its end."""
    kept: int | None
    """The serial of the state that it replaced, if that is kept."""


def runs_name(stack: str) -> str:
    return f"{stack}.history/runs.json"


def version_name(stack: str, serial: int) -> str:
    return f"{stack}.history/{serial}.json"


def read_history(backend: Backend, stack: str) -> tuple[PastRun, ...]:
    """The runs of *stack*, oldest first.  Raises StateError, also if they make no sense."""
    found = None if backend.keeps_history else backend.read(runs_name(stack))
    return parse_history(found.content, where=backend.where(runs_name(stack))) if found else ()


def read_version(backend: Backend, stack: str, serial: int) -> StoredFile:
    """The state that had this *serial*, if it is kept.  Raises StateError if it is not."""
    if backend.keeps_history:
        raise StateError(f"{backend.where(f'{stack}.json')} keeps its versions by itself.")
    found = backend.read(version_name(stack, serial))
    if found is None:
        kept = sorted({run.kept for run in read_history(backend, stack) if run.kept is not None})
        there = ", ".join(map(str, kept)) or "none"
        raise StateError(f"serial {serial} of {stack} is not kept; of the earlier ones: {there}.")
    return found


def history_bytes(stack: str, runs: tuple[PastRun, ...]) -> bytes:
    return orjson.dumps(
        {"version": VERSION, "stack": stack, "runs": [run_words(run) for run in runs]},
        option=_FORM,
    )


def run_words(run: PastRun) -> dict[str, Json]:
    return {
        "run": run.run,
        "who": run.who,
        "operation": run.operation,
        "at": moment_text(run.at),
        "commit": run.commit,
        "job": run.job,
        "fingerprint": run.fingerprint,
        "outcome": run.outcome,
        "kept": run.kept,
    }


def parse_history(raw: bytes, *, where: str) -> tuple[PastRun, ...]:
    """Read what `history_bytes` wrote.  Raises StateError for anything else."""
    try:
        document = orjson.loads(utf8(raw))
        match document:
            case {"version": int(version)} if version > VERSION:
                why = f"its version is {version}, and {VERSION} is the latest that can be read"
                raise StateNewer(newer(where, why))
        runs = _runs(block(document, _DOCUMENT))
        return tuple(_run(f"runs.{at}", run) for at, run in enumerate(runs))
    except UnknownKey as wrong:
        raise StateNewer(newer(where, str(wrong))) from wrong
    except ValueError as error:
        raise StateError(
            f"{where} is not a history that ctxprov wrote: {error}.  Nothing depends on it: move "
            "it away, and the next run begins a new one."
        ) from error


def trimmed(runs: tuple[PastRun, ...]) -> tuple[tuple[PastRun, ...], tuple[int, ...]]:
    """The runs to remember, and the serials of the states that are not to be kept any more."""
    latest = list(dict.fromkeys(_kept(reversed(runs))))
    stay = frozenset(latest[:VERSIONS])
    remembered = _remembered(runs, stay)
    return (
        tuple(run if run.kept in stay else replace(run, kept=None) for run in remembered),
        tuple(latest[VERSIONS:]),
    )


def _remembered(runs: tuple[PastRun, ...], stay: frozenset[int]) -> tuple[PastRun, ...]:
    """The latest runs, and of those before them the last to name each state that stays."""
    older, latest = runs[:-RUNS], runs[-RUNS:]
    unnamed = stay - {run.kept for run in latest}
    last = {run.kept: run for run in older}
    return (*(run for run in older if run.kept in unnamed and run is last[run.kept]), *latest)


def _kept(runs: Iterator[PastRun]) -> Iterator[int]:
    return (run.kept for run in runs if run.kept is not None)


def _runs(fields: Block) -> list[Json]:
    runs = fields["runs"]
    if fields["version"] != VERSION or not isinstance(runs, list):
        raise Misshapen("version", f"this must be {VERSION}, and runs a list")
    return runs


def _run(where: str, json: Json) -> PastRun:
    try:
        return _run_of(block(json, _RUN))
    except Misshapen as wrong:
        raise wrong.under(where) from wrong


def _run_of(fields: Block) -> PastRun:
    return PastRun(
        run=text(fields, "run"),
        who=text(fields, "who"),
        operation=text(fields, "operation"),
        at=moment(fields, "at"),
        commit=_maybe(fields, "commit"),
        job=_maybe(fields, "job"),
        fingerprint=_maybe(fields, "fingerprint"),
        outcome=text(fields, "outcome"),
        kept=None if fields["kept"] is None else count(fields, "kept"),
    )


def _maybe(fields: Block, key: str) -> str | None:
    return None if fields[key] is None else text(fields, key)
