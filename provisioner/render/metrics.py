"""
What is on record and how the last run ended, as Prometheus' text format.

Meant for a file that an exporter picks up.  Values are as of one moment; names and folders
are label values, in which nothing can break a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.model import RecordedCache, State
from provisioner.model.money import Money, total

_ESCAPE = re.compile(r"\\(.)")
_SUCCESS = "ctxprov_last_success_timestamp_seconds"


class Turn(Struct, frozen=True, kw_only=True):
    """How a run ended for one stack; without a state nothing is known of its caches."""

    folder: str
    status: int
    state: State | None
    cold: frozenset[str] = frozenset()
    """Names on record whose cache is not alive."""
    ahead: timedelta = timedelta()
    """How far the clocks of the providers are ahead of this machine's."""
    rents: Mapping[str, Money]
    """What each live cache on record costs per hour."""
    succeeded_at: datetime | None
    """The last success, this run's included."""


class _Metric(Struct, frozen=True):
    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float]]

    def lines(self) -> Iterator[str]:
        lines = [f"{self.name}{_labels(labels)} {_number(v)}" for labels, v in self.samples]
        if lines:
            yield f"# HELP {self.name} {self.help}"
            yield f"# TYPE {self.name} gauge"
            yield from lines


def metrics_text(turns: Iterable[Turn], *, now: datetime) -> str:
    """Everything known at *now* (aware UTC), each metric with its help."""
    metrics = _metrics(tuple(turns), now)
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def last_successes(text: str) -> Mapping[str, float]:
    """The last success of each folder by a file that was written before, in Unix seconds."""
    found = {}
    for line in text.split("\n"):
        label, _, number = line.rpartition(" ")
        if label.startswith(f'{_SUCCESS}{{folder="') and number.replace(".", "", 1).isdecimal():
            value = label.removeprefix(f'{_SUCCESS}{{folder="').removesuffix('"}')
            found[_unescaped(value)] = float(number)
    return found


def _metrics(turns: tuple[Turn, ...], now: datetime) -> Iterator[_Metric]:
    known = [(turn, turn.state) for turn in turns if turn.state is not None]
    yield from _of_stacks(known)
    yield from _of_caches(known, now)
    yield from _of_runs(turns, now)


def _of_stacks(known: Sequence[tuple[Turn, State]]) -> Iterator[_Metric]:
    yield _Metric(
        "ctxprov_caches",
        "Caches and annotations on record.",
        [({"stack": state.stack}, len(state.caches)) for _, state in known],
    )
    yield _Metric(
        "ctxprov_retiring_caches",
        "Replaced or removed caches that may still be alive.",
        [({"stack": state.stack}, len(state.retiring)) for _, state in known],
    )
    yield _Metric(
        "ctxprov_rent_usd_per_hour",
        "Rent of the caches on record that have a price.",
        [({"stack": s.stack}, float(total(t.rents.values()).usd)) for t, s in known],
    )
    yield _Metric(
        "ctxprov_unpriced_caches",
        "Caches on record that have no price.",
        [({"stack": s.stack}, sum(m.partial for m in t.rents.values())) for t, s in known],
    )


def _of_caches(known: Sequence[tuple[Turn, State]], now: datetime) -> Iterator[_Metric]:
    """By the clocks of the providers; what is cold has run out."""
    ends = [
        (
            {"stack": state.stack, "name": name},
            min(record.expires_at, there) if name in turn.cold else record.expires_at,
            there,
        )
        for turn, state in known
        for there in (now + turn.ahead,)
        for name, record in state.caches.items()
        if isinstance(record, RecordedCache)
    ]
    yield _Metric(
        "ctxprov_cache_seconds_to_expiry",
        "Seconds that a cache has to live; none or negative once it is gone.",
        [(labels, (end - there).total_seconds()) for labels, end, there in ends],
    )
    yield _Metric(
        "ctxprov_cache_expiry_timestamp_seconds",
        "When a cache dies unless it is refreshed.",
        [(labels, end.timestamp()) for labels, end, _ in ends],
    )


def _of_runs(turns: Sequence[Turn], now: datetime) -> Iterator[_Metric]:
    successes = [(turn.folder, turn.succeeded_at) for turn in turns if turn.succeeded_at]
    yield _Metric(
        "ctxprov_last_run_timestamp_seconds",
        "When the last run ended.",
        [({"folder": turn.folder}, now.timestamp()) for turn in turns],
    )
    yield _Metric(
        _SUCCESS,
        "When the last run that left nothing undone ended.",
        [({"folder": folder}, at.timestamp()) for folder, at in successes],
    )
    yield _Metric(
        "ctxprov_last_exit_status",
        "Exit status of the last run; 0 is well.",
        [({"folder": turn.folder}, turn.status) for turn in turns],
    )


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def _number(value: float) -> str:
    return repr(round(value, 9))
