"""
Figures as Markdown: ours, a peer's, and the ratios, which are what travels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.measure import Cost
from benchmarks.steps import Step

HEAD = (
    "| caches | step | wall | CPU | MiB | beside | wall | CPU | MiB | wall ratio | CPU ratio |\n"
    "|--:|---|--:|--:|--:|---|--:|--:|--:|--:|--:|"
)
START_UP_HEAD = "| start-up | ms | over `python -c pass` |\n|---|--:|--:|"


def rows(count: int, ours: Mapping[Step, Cost], peers: Mapping[str, Mapping[Step, Cost]]) -> str:
    """A row for each step and each peer that takes it."""
    return "\n".join(
        row for step, cost in ours.items() for row in _rows_of(count, step, cost, peers)
    )


def _rows_of(
    count: int, step: Step, ours: Cost, peers: Mapping[str, Mapping[Step, Cost]]
) -> Iterator[str]:
    begin = [f"{count:,}", step.value, *_figures(ours)]
    beside = {name: costs[step] for name, costs in peers.items() if step in costs}
    for name, cost in beside.items():
        ratios = [f"{ours.wall / cost.wall:.2f}", f"{ours.cpu / cost.cpu:.2f}"]
        yield _row([*begin, name, *_figures(cost), *ratios])
    if not beside:
        yield _row([*begin, *[""] * 6])


def start_up_row(name: str, cost: Cost, nothing: Cost) -> str:
    return _row([name, f"{cost.wall * 1000:.0f}", f"{(cost.wall - nothing.wall) * 1000:+.0f}"])


def _figures(cost: Cost) -> list[str]:
    return [f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak:.0f}"]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
