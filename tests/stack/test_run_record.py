"""What a run shows is kept for the function that approves it, and for its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from provisioner import ApplyResult, Refused, Stack, StackPlan
from provisioner.runtime import SYSTEM
from tests.cli.cli_harness import LONG, Stage
from tests.cli.conftest import NOTE, A
from tests.cli.test_adopt import by_hand

HOUR = timedelta(hours=1)


def applied(stage: Stage, approve: object) -> ApplyResult:
    async def main() -> ApplyResult:
        async with Stack.load(stage.root) as stack:
            return await stack.apply(approve=approve)  # type: ignore[arg-type]  # each kind of them

    return asyncio.run(main())


def test_a_function_sees_the_plan(stage: Stage) -> None:
    """A function gets the plan that is performed: its rows, its money, its fingerprint."""
    stage.write(A, NOTE, a=LONG, n=LONG)
    plans: list[StackPlan] = []

    def approve(plan: StackPlan) -> bool:
        plans.append(plan)
        return len(plan.creations) == 1

    result = applied(stage, approve)

    (plan,) = plans
    assert plan.fingerprint == result.document.fingerprint
    assert plan.needs_approval
    assert plan.totals.rent_per_hour_change.usd
    assert len(result.done) == 2


def test_a_coroutine_function(stage: Stage) -> None:
    """A function may be async, and is awaited while the lock is held."""
    stage.write(A, a=LONG)

    async def approve(plan: StackPlan) -> bool:
        await asyncio.sleep(0)
        return not plan.removals

    assert len(applied(stage, approve).done) == 1


def test_no(stage: Stage) -> None:
    """A no refuses the plan; nothing is changed."""
    stage.write(A, a=LONG)

    with pytest.raises(Refused, match="Declined; nothing was changed"):
        applied(stage, lambda _plan: False)
    assert stage.live() == {}


async def yields(_plan: StackPlan) -> AsyncIterator[bool]:
    yield False


async def forgets(_plan: StackPlan) -> None:
    pass


@pytest.mark.parametrize(
    ("approve", "kind"),
    [
        (lambda _plan: None, "NoneType"),
        (lambda _plan: 0, "int"),
        (lambda _plan: "no", "str"),
        (lambda plan: plan.removals, "tuple"),
        (yields, "async_generator"),
        (forgets, "NoneType"),
    ],
)
def test_no_answer(stage: Stage, approve: Any, kind: str) -> None:  # noqa: ANN401  # of wrong types
    """Neither True nor False is an answer, but a mistake of the function; nothing is changed."""
    stage.write(A, a=LONG)

    with pytest.raises(TypeError, match=f"approve returned {kind}, so nothing was changed"):
        applied(stage, approve)
    assert stage.live() == {}


def test_nothing_to_approve(stage: Stage) -> None:
    """A plan that changes nothing is not asked about."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0

    assert applied(stage, lambda _plan: 1 / 0).changes == ()


def test_a_plan_that_ran_out(stage: Stage) -> None:
    """A function is asked again where another cache would be deleted by the time of its answer."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    by_hand(LONG, displayName="ctxprov:demo/old@0123456789abcdef")
    later = [0.0]
    runtime = replace(SYSTEM, boot_seconds=lambda: SYSTEM.boot_seconds() + later[0])
    plans: list[StackPlan] = []

    def approve(plan: StackPlan) -> bool:
        plans.append(plan)
        if len(plans) == 1:
            by_hand(LONG, displayName="ctxprov:demo/older@0123456789abcdef")
            later[0] = 2 * HOUR.total_seconds()
        return True

    async def prune() -> ApplyResult:
        async with Stack.load(stage.root, runtime=runtime) as stack:
            return await stack.apply(approve=approve, prune=True)

    result = asyncio.run(prune())

    assert [len(plan.removals) for plan in plans] == [1, 2]
    assert len(result.done) == 2


def test_edits_beyond_the_approval(stage: Stage) -> None:
    """What was edited after the approval is left undone and named; what was approved is done."""
    stage.write(A, NOTE, a=LONG, n=LONG)

    async def planned() -> StackPlan:
        async with Stack.load(stage.root) as stack:
            return await stack.plan()

    plan = asyncio.run(planned())
    (stage.root / "n.md").write_text(f"{LONG} edited")
    result = applied(stage, plan)

    assert [row.name for row in result.done] == ["a"]
    assert result.unapproved == ("n",)
    assert result.is_refused
    assert not result.has_failed


def test_errors_are_values(stage: Stage) -> None:
    """A change that fails stops no other, and its error is a value of the result."""
    stage.write(A, "b: {provider: gemini, model: gemini-0-none, ttl: 12h, content: a.md}", a=LONG)

    result = applied(stage, lambda _plan: True)

    assert result.has_failed
    assert [row.name for row in result.failed] == ["b"]
    assert [str(error) for error in result.errors] == [row.error for row in result.failed]
