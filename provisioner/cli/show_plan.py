"""A plan, and what became of it: on the terminal, and in every document that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from provisioner.cli import console, terminal
from provisioner.cli.outputs import Page
from provisioner.cli.spots import Spotter, nowhere
from provisioner.model import Change, Plan, Result
from provisioner.model.limits import Breach
from provisioner.model.money import Cost
from provisioner.planner import next_refresh, valid_until
from provisioner.pricing import Lookup, costs, totals, totals_of
from provisioner.render.plan_table import plan_text
from provisioner.render.result import result_text
from provisioner.view.plan import PlanView, noteworthy, plan_view


@dataclass(frozen=True, kw_only=True)
class Told:
    """A plan with what else is known, to be viewed as far as anybody asks."""

    plan: Plan
    prices: Lookup
    writes: tuple[str, ...]
    commit: str | None = None
    timeless: bool = False
    """It compares revisions, so no clock ends it."""
    breaches: tuple[Breach, ...] = ()

    @cached_property
    def whole(self) -> PlanView:
        """For documents."""
        return self._view(self.plan.changes)

    @cached_property
    def short(self) -> PlanView:
        """For a terminal: what stays as it is costs nothing."""
        return self._view(noteworthy(self.plan))

    def _view(self, changes: tuple[Change, ...]) -> PlanView:
        plan, prices = self.plan, self.prices
        paid = costs(replace(plan, changes=changes), prices, at=plan.now)
        is_all = len(changes) == len(plan.changes)
        return plan_view(
            plan,
            changes,
            costs=paid,
            totals=totals(paid) if is_all else totals_of(plan, prices, at=plan.now),
            valid_until=None if self.timeless else valid_until(self.plan),
            next_refresh=None if self.timeless else next_refresh(self.plan),
            timeless=self.timeless,
            commit=self.commit,
            writes=self.writes,
            breaches=self.breaches,
        )


def plan_page(
    view: Callable[[], PlanView], *, verbose: bool = False, spots: Spotter = nowhere
) -> Page:
    """A plan as a document; *view* and *spots* are called when one is asked for."""

    def page(form: str) -> str:
        from provisioner.cli.documents import plan_document  # noqa: PLC0415  # for those who ask

        return plan_document(form, view=view, verbose=verbose, spots=spots)

    return page


def show_plan(told: Told, *, colour: bool, verbose: bool = False, recorded: bool = False) -> None:
    view = told.whole if verbose else told.short
    text = plan_text(
        view, width=terminal.width(), colour=colour, verbose=verbose, recorded=recorded
    )
    console.show(text)


def result_page(
    told: Plan, results: Sequence[Result], *, prices: Lookup, spots: Spotter = nowhere
) -> Page:
    """How every pending change ended, as a document."""

    def paid() -> Iterable[Cost]:
        done = replace(told, changes=tuple(result.change for result in results))
        return costs(done, prices, at=told.now)

    def page(form: str) -> str:
        from provisioner.cli.documents import result_document  # noqa: PLC0415  # for those who ask

        return result_document(form, told=told, results=results, paid=paid, spots=spots)

    return page


def show_results(told: Plan, results: Iterable[Result], *, colour: bool) -> None:
    if told.pending:
        text = result_text(results, width=terminal.width(), colour=colour)
        console.show(text)
