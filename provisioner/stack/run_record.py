"""
What a run shows, kept: the plan that it asks for, and how its changes ended.

Shows nothing itself; each change that ends is a line of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import isawaitable

from provisioner.model.facts import Failed, Result
from provisioner.model.plan import Plan
from provisioner.model.rates import Lookup
from provisioner.operations.apply import Applied
from provisioner.operations.decision import Decision
from provisioner.render.result import result_line, summary_line
from provisioner.stack.approve import Approve
from provisioner.stack.results import ApplyResult, StackPlan
from provisioner.stack.run import StackConsole
from provisioner.view.plan import Presentation
from provisioner.view.result import result_costs, result_view


class RunRecord:
    """Keeps what one run shows, for the function that approves it and for its result."""

    def __init__(self, prices: Lookup, console: StackConsole) -> None:
        self._prices = prices
        self._console = console
        self._unapproved: tuple[str, ...] = ()

    def show_plan(self, decision: Decision) -> None:
        self._decision = decision
        undone = decision.undone
        self._unapproved = (*sorted(undone.names), *sorted(undone.settings))

    @contextmanager
    def progress(self, plan: Plan) -> Iterator[Callable[[Result], None]]:
        del plan
        shown: dict[str, str] = {}
        yield lambda result: self._console.inform(result_line(result, colour=False, shown=shown))

    def show_results(self, plan: Plan, results: Sequence[Result]) -> None:
        self._console.inform(summary_line(results))
        self._document = result_view(plan, results, result_costs(plan, results, self._prices))

    async def is_approved(self, approve: Approve | None) -> bool:
        """
        Ask the function *approve* about the plan that was shown last.

        Raises TypeError for an answer that is neither True nor False, which may be no answer.
        """
        if not callable(approve):
            return False
        answer = approve(self._shown())
        if isawaitable(answer):
            answer = await answer
        if not isinstance(answer, bool):
            raise TypeError(
                f"approve returned {type(answer).__name__}, so nothing was changed: return True to "
                "go on or False to stop."
            )
        return answer

    def result(self, applied: Applied) -> ApplyResult:
        """How the run ended that is *applied* now."""
        outcomes = (result.outcome for result in applied.results)
        return ApplyResult(
            document=self._document,
            serial=applied.state.serial,
            summary=applied.summary,
            has_failed=applied.has_failed,
            is_refused=applied.leaves_refused,
            errors=tuple(outcome.error for outcome in outcomes if isinstance(outcome, Failed)),
            unapproved=self._unapproved,
            gaps=tuple(gap.name for gap in applied.gaps),
            cold=applied.cold,
            warnings=self._console.warnings,
        )

    def _shown(self) -> StackPlan:
        decision = self._decision
        request, plan = decision.request, decision.plan
        shown = Presentation(
            plan=plan,
            prices=self._prices,
            writes=request.location.writes,
            commit=request.commit,
            breaches=request.breaches(plan, decision.state),
        )
        return StackPlan(
            document=shown.whole, warnings=self._console.warnings, is_refused=bool(plan.refused)
        )
