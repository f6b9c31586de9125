"""
What is on record and how the last run ended, as Prometheus' text format.

Meant for a file that an exporter picks up.  Values are as of one moment; names and folders
are label values, in which nothing can break a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from provisioner.model.facts import State
from provisioner.model.money import Money, total
from provisioner.model.records import RecordedCache

_Gauge: TypeAlias = tuple[str, str, Sequence[tuple[Mapping[str, str], float]]]
"""Its name, its help, and its samples, each with its labels."""

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


_OF_STACKS: Sequence[tuple[str, str, Callable[[Turn, State], float]]] = (
    ("ctxprov_caches", "Caches and annotations on record.", lambda _, state: len(state.caches)),
    (
        "ctxprov_retiring_caches",
        "Replaced or removed caches that may still be alive.",
        lambda _, state: len(state.retiring),
    ),
    (
        "ctxprov_rent_usd_per_hour",
        "Rent of the caches on record that have a price.",
        lambda turn, _: total(turn.rents.values()).usd or 0.0,
    ),
    (
        "ctxprov_unpriced_caches",
        "Caches on record that have no price.",
        lambda turn, _: sum(rent.partial for rent in turn.rents.values()),
    ),
)


class _Metrics(Collector):
    """What the writer of the format collects: the metrics that have samples."""

    def __init__(self, turns: Sequence[Turn], now: datetime) -> None:
        self._turns, self._now = turns, now

    def collect(self) -> Iterator[Metric]:
        stacks = [(turn, turn.state) for turn in self._turns if turn.state is not None]
        caches, runs = _of_caches(stacks, self._now), _of_runs(self._turns, self._now)
        for name, description, samples in (*_of_stacks(stacks), *caches, *runs):
            gauge = GaugeMetricFamily(name, description)
            for labels, value in samples:
                gauge.add_sample(name, dict(labels), value)
            if gauge.samples:
                yield gauge


def metrics_text(turns: Iterable[Turn], *, now: datetime) -> str:
    """Everything known at *now* (aware UTC), each metric with its help."""
    return generate_latest(_Metrics(tuple(turns), now)).decode()


def last_successes(text: str) -> Mapping[str, float]:
    """
    The last success of each folder by a file that was written before, in Unix seconds.

    Raises ValueError if *text* is not in the format.
    """
    return {
        sample.labels["folder"]: sample.value
        for metric in text_string_to_metric_families(text)
        if metric.name == _SUCCESS
        for sample in metric.samples
        if "folder" in sample.labels
    }


def _of_stacks(stacks: Sequence[tuple[Turn, State]]) -> Iterator[_Gauge]:
    for name, description, value in _OF_STACKS:
        yield name, description, [({"stack": s.stack}, value(t, s)) for t, s in stacks]


def _of_caches(stacks: Sequence[tuple[Turn, State]], now: datetime) -> Iterator[_Gauge]:
    """By the clocks of the providers; what is cold has run out."""
    ends = [
        (
            {"stack": state.stack, "name": name},
            min(record.expires_at, there) if name in turn.cold else record.expires_at,
            there,
        )
        for turn, state in stacks
        for there in (now + turn.ahead,)
        for name, record in state.caches.items()
        if isinstance(record, RecordedCache)
    ]
    yield (
        "ctxprov_cache_seconds_to_expiry",
        "Seconds that a cache has to live; none or negative once it is gone.",
        [(labels, (end - there).total_seconds()) for labels, end, there in ends],
    )
    yield (
        "ctxprov_cache_expiry_timestamp_seconds",
        "When a cache dies unless it is refreshed.",
        [(labels, end.timestamp()) for labels, end, _ in ends],
    )


def _of_runs(turns: Sequence[Turn], now: datetime) -> Iterator[_Gauge]:
    successes = [(turn.folder, turn.succeeded_at) for turn in turns if turn.succeeded_at]
    yield (
        "ctxprov_last_run_timestamp_seconds",
        "When the last run ended.",
        [({"folder": turn.folder}, now.timestamp()) for turn in turns],
    )
    yield (
        _SUCCESS,
        "When the last run that left nothing undone ended.",
        [({"folder": folder}, at.timestamp()) for folder, at in successes],
    )
    yield (
        "ctxprov_last_exit_status",
        "Exit status of the last run; 0 is well.",
        [({"folder": turn.folder}, turn.status) for turn in turns],
    )
