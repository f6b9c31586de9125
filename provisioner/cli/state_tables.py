"""What `ctxprov state list` and `ctxprov state history` print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.cli import console
from provisioner.cli.speech import tell
from provisioner.escape import plain
from provisioner.model import Recorded, RecordedCache, State
from provisioner.render.layout import Column, table
from provisioner.state import PastRun, state_name
from provisioner.storage.protocol import Backend
from provisioner.times import moment_text, parse_moment


def tell_records(state: State, backend: Backend) -> None:
    """A line for each cache on record, and for each that is retiring."""
    if not (state.caches or state.retiring):
        tell(f"Nothing is on record at {backend.where(state_name(state.stack))}.")
    rows = [(name, r.provider, _id(r)) for name, r in sorted(state.caches.items())]
    rows += [(r.name, r.provider, f"{r.id} (retiring)") for r in state.retiring.values()]
    _show(rows, *[""] * 3)


def tell_runs(runs: Sequence[PastRun], backend: Backend, stack: str) -> None:
    """A line for each run, the oldest first."""
    where = backend.where(state_name(stack))
    if backend.keeps_history:
        console.say(f"{plain(where)} keeps its versions by itself.")
    elif not runs:
        tell(f"No run is remembered beside {where}.")
    else:
        _show(map(_run, runs), *("WHEN", "OPERATION", "WHO", "COMMIT", "KEPT", "OUTCOME"))


def _id(record: Recorded) -> str:
    return record.id if isinstance(record, RecordedCache) else "annotation"


def _run(run: PastRun) -> tuple[str, ...]:
    return (
        moment_text(parse_moment(run.at).replace(microsecond=0)),
        run.operation,
        run.who,
        (run.commit or "-")[:12],
        "-" if run.kept is None else str(run.kept),
        run.outcome,
    )


def _show(rows: Iterable[tuple[str, ...]], *titles: str) -> None:
    columns = [Column(title=title) for title in titles]
    for line in table(columns, [tuple(map(plain, row)) for row in rows]):
        console.say(line)
