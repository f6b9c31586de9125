"""
What happened to a stack: the runs that changed something, and the states they replaced.

Both are in the folder `STACK.history` beside the state: `runs.json`, whose shape is
`schemas/history.schema.json`, and a file for each version that is kept, named by its serial.
They are there for people; no decision depends on them.

A run begins to write before its first save, so that a run which is killed is remembered as
unfinished, and so that the state it replaces is kept first.  A history that cannot be written
is a warning and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec
from msgspec.structs import replace

from provisioner.documents import (
    Fault,
    Fields,
    MomentText,
    NotJson,
    Text,
    WholeNumber,
    document_bytes,
    newer,
    read_document,
)
from provisioner.errors import StateError, StateNewer, StateTaken
from provisioner.model.records import made_of
from provisioner.runtime import Runtime
from provisioner.state import serial_of
from provisioner.storage import Backend, StoredFile
from provisioner.storage.lock_owner import LockOwner
from provisioner.times import moment_text, parse_moment

RUNS = 200
"""So many runs are remembered, and before them those whose states are still kept."""
VERSIONS = 10
"""So many earlier states are kept."""
UNFINISHED = "unfinished"


class PastRun(Fields, frozen=True, kw_only=True):
    """
    A run that changed something, or tried to.

    run: Its id, which stands in the state that it wrote and in its lock.
    who: USER@HOST.
    operation: The command.
    at: When it began.
    commit: Of the repository, where CI names it.
    job: The URL of the CI job.
    fingerprint: Of the plan that was applied.
    outcome: In words; `unfinished` if the run did not record its end.
    kept: The serial of the state that it replaced, if that is kept here.
    """

    run: Text
    who: Text
    operation: Text
    at: MomentText
    commit: Text | None
    job: Text | None
    fingerprint: Text | None
    outcome: Text
    kept: WholeNumber | None

    def __post_init__(self) -> None:
        parse_moment(self.at)


class HistoryFile(Fields, frozen=True, kw_only=True):
    """
    History of a ctxprov stack.

    The last runs that changed a stack or tried to, oldest first. Written beside the state for
    people to read; no decision depends on it.

    stack: Whose history this is.
    """

    version: Literal[1]
    stack: Text
    runs: tuple[PastRun, ...]


_DECODER = msgspec.json.Decoder(HistoryFile)


def runs_name(stack: str) -> str:
    return f"{stack}.history/runs.json"


def version_name(stack: str, serial: int) -> str:
    return f"{stack}.history/{serial}.json"


def read_history(backend: Backend, stack: str) -> tuple[PastRun, ...]:
    """The runs of *stack*, oldest first.  Raises StateError, also if they cannot be read."""
    file = None if backend.keeps_history else backend.read(runs_name(stack))
    return parse_history(file.content, where=backend.where(runs_name(stack))) if file else ()


def read_version(backend: Backend, stack: str, serial: int) -> StoredFile:
    """The state that had this *serial*, if it is kept.  Raises StateError if it is not."""
    if backend.keeps_history:
        raise StateError(f"{backend.where(f'{stack}.json')} keeps its versions by itself.")
    file = backend.read(version_name(stack, serial))
    if file is None:
        kept = sorted({run.kept for run in read_history(backend, stack) if run.kept is not None})
        there = ", ".join(map(str, kept)) or "none"
        raise StateError(f"serial {serial} of {stack} is not kept; of the earlier ones: {there}.")
    return file


def history_bytes(stack: str, runs: tuple[PastRun, ...]) -> bytes:
    return document_bytes(HistoryFile(version=1, stack=stack, runs=runs))


def parse_history(raw: bytes, *, where: str) -> tuple[PastRun, ...]:
    """Read what `history_bytes` wrote.  Raises StateError for anything else."""
    try:
        return read_document(raw, _DECODER).runs
    except ValueError as error:
        if isinstance(error, Fault) and error.is_new:
            raise StateNewer(newer(where, str(error))) from error
        why = f"it {error}" if isinstance(error, NotJson) else str(error)
        raise StateError(
            f"{where} is not a history that ctxprov wrote: {why}.  Nothing depends on it: move it "
            "away, and the next run begins a new history."
        ) from error


def trimmed(runs: tuple[PastRun, ...]) -> tuple[tuple[PastRun, ...], tuple[int, ...]]:
    """The runs to remember, and the serials of the states that are not to be kept any more."""
    latest = list(dict.fromkeys(run.kept for run in reversed(runs) if run.kept is not None))
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


@dataclass(repr=False, eq=False)
class HistoryWriter:
    """The history of *stack*, as one run by *who* writes it."""

    backend: Backend
    stack: str
    who: LockOwner
    warn: Callable[[str], None]
    runtime: Runtime
    _version: str | None = None
    _before: tuple[PastRun, ...] | None = None

    def __post_init__(self) -> None:
        self._is_off = self.backend.keeps_history
        self._run = made_of(
            PastRun,
            self.who,
            run=self.who.id,
            at=moment_text(self.who.since),
            fingerprint=None,
            outcome=UNFINISHED,
            kept=None,
        )

    def begin(self, replaced: StoredFile | None) -> None:
        """Keep the state that is to be *replaced*, and remember that this run has begun."""
        self._try(lambda: self._begin(replaced))

    async def end(self, outcome: str, *, fingerprint: str | None = None) -> None:
        """Remember how it ended, also if it replaced nothing."""
        self._run = replace(self._run, outcome=outcome, fingerprint=fingerprint)
        await self.runtime.in_thread(partial(self._try, self._write))

    def _try(self, step: Callable[[], None]) -> None:
        if self._is_off:
            return
        try:
            step()
        except StateError as error:
            self._is_off = True
            self.warn(f"warning: the history of {self.stack} is not written: {error}")

    def _begin(self, replaced: StoredFile | None) -> None:
        serial = serial_of(replaced)
        if replaced and serial is not None:
            self._keep(version_name(self.stack, serial), replaced.content)
            self._run = replace(self._run, kept=serial)
        self._write()

    def _keep(self, name: str, content: bytes) -> None:
        file = self.backend.read(name)
        if file is None or file.content != content:
            self.backend.write(name, content, expected=file.version if file else None)

    def _write(self) -> None:
        try:
            self._add()
        except StateTaken:  # a run that had lost its lock wrote it, or a person removed it
            self._before = None
            self._add()

    def _add(self) -> None:
        if self._before is None:
            self._before = self._read()
        runs, stale = trimmed((*self._before, self._run))
        self._version = self.backend.write(
            runs_name(self.stack), history_bytes(self.stack, runs), expected=self._version
        )
        for serial in stale:
            self._drop(version_name(self.stack, serial))

    def _read(self) -> tuple[PastRun, ...]:
        name = runs_name(self.stack)
        file = self.backend.read(name)
        self._version = file.version if file else None
        if file is None:
            return ()
        runs = parse_history(file.content, where=self.backend.where(name))
        return tuple(run for run in runs if run.run != self._run.run)

    def _drop(self, name: str) -> None:
        with suppress(StateError):
            if file := self.backend.read(name):
                self.backend.delete(name, expected=file.version)
