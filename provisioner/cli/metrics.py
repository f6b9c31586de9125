"""`--metrics-file`: how a run ended, for a collector that picks up files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from provisioner import runtime
from provisioner.cli import console
from provisioner.cli.per_stack import StackOutcome, StackRow
from provisioner.cli.status import Status
from provisioner.files import read_whole, write_whole
from provisioner.model.money import Money
from provisioner.model.rates import Lookup
from provisioner.model.records import RecordedCache
from provisioner.operations.load import prices_or_ours
from provisioner.pricing import rent


def write_metrics(path: Path, rows: Iterable[StackRow], *, models: Path | None) -> None:
    """
    Write how every stack ended to the file at *path*, in one step.

    The last success of a stack that fails now is taken from the file that was there.
    """
    from provisioner.render.metrics import Turn, metrics_text  # noqa: PLC0415 - slow to import

    now, before, lookup = runtime.SYSTEM.now(), _before(path), prices_or_ours(models)
    turns = [
        Turn(
            folder=str(folder),
            status=outcome.status,
            state=outcome.state,
            cold=outcome.cold,
            ahead=outcome.ahead,
            rents=_rents(outcome, lookup, now),
            succeeded_at=now if outcome.status is Status.OK else before.get(str(folder)),
        )
        for folder, outcome in rows
    ]
    try:
        write_whole(path, metrics_text(turns, now=now).encode(errors="replace"), runtime.SYSTEM)
    except OSError as error:
        console.lose(f"{path} cannot be written: {error.strerror}.")


def _before(path: Path) -> Mapping[str, datetime]:
    from provisioner.render.metrics import last_successes  # noqa: PLC0415 - slow to import

    try:
        successes = last_successes(read_whole(path).decode(errors="replace"))
        return {folder: datetime.fromtimestamp(at, UTC) for folder, at in successes.items()}
    except (OSError, OverflowError, ValueError):
        return {}


def _rents(outcome: StackOutcome, lookup: Lookup, now: datetime) -> dict[str, Money]:
    records = outcome.state.caches if outcome.state else {}
    return {
        name: rent(record, lookup, at=now + outcome.ahead)
        for name, record in records.items()
        if isinstance(record, RecordedCache) and name not in outcome.cold
    }
