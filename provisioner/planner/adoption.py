"""
What speaks against an adoption, and what a person should know of one.

Decides whether a live cache may be what an entry claims by `adopt`.  A label is proof, and
so is a count of tokens by the server; the model that a server reports is neither.  Knows
nothing of the content itself, which no provider shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.model import UNKNOWN, Adopt, Create, DesiredCache, LiveCache, Plan, Reason
from provisioner.planner.live_index import LiveIndex

_SHARE, _COUNT = 0.01, 16
"""Two counts by a server are of other content if they differ by more than both."""
_ROUGHLY = 2
"""An estimate is doubted where a count is more than so many times as high or as low."""


def not_adoptable(want: DesiredCache, named: LiveCache, scene: LiveIndex) -> str | None:
    """Why *want* may not adopt *named*, which its `adopt` names."""
    label = named.label
    if owner := scene.owner(named):
        return f"{named.id} belongs to the stack {owner}"
    if named.id in scene.taken or (label and label.name in scene.declared - {want.name}):
        return f"{named.id} belongs to another entry of this stack"
    if label and label.mark != want.label.mark:
        return f"{named.id} has other content: its label ends in @{label.mark}"
    if want.measure.counted and _differ(want.measure.tokens, named.tokens):
        return (
            f"{named.id} has other content: the provider counts {named.tokens:,} tokens in it, "
            f"and {want.measure.tokens:,} in what is declared"
        )
    return None


def remarks(plan: Plan) -> Iterator[str]:
    """What a person should know of the adoptions of *plan*, and of claims that it ignores."""
    for change in plan.changes:
        match change:
            case Adopt(want, twin, reason=Reason.IMPORTED):
                yield from _of_import(want, twin)
            case Adopt(want, twin) if twin.model != want.model:
                yield from _ignored(want)
                yield f"{want.name}: {_another_model(want, twin)}"
            case Adopt(want, record=None) | Create(want, None):
                yield from _ignored(want)
            case _:
                pass


def _of_import(want: DesiredCache, twin: LiveCache) -> Iterator[str]:
    if want.adopt and want.adopt.mark is None:
        yield (
            f"{want.name}: write adopt: {twin.id}@{want.label.mark}, which vouches for this "
            "content alone. Whether another stack adopted that cache cannot be seen."
        )
    if twin.model != want.model:
        yield f"{want.name}: {_another_model(want, twin)}"
    is_estimated = want.measure.tokens != UNKNOWN and not want.measure.counted
    if is_estimated and _is_doubtful(want.measure.tokens, twin.tokens):
        yield (
            f"{want.name}: {twin.id} has {twin.tokens:,} tokens where about "
            f"{want.measure.tokens:,} are expected: check that it has this content."
        )


def _another_model(want: DesiredCache, twin: LiveCache) -> str:
    return f"the provider reports {twin.model} as the model of {twin.id}, not {want.model}."


def _ignored(want: DesiredCache) -> Iterator[str]:
    if want.adopt and not want.adopt.vouches_for(want.label):
        yield (
            f"{want.name}: adopt is ignored, for it vouches for @{want.adopt.mark}, and the "
            f"content is @{want.label.mark} now."
        )


def _differ(one: int, other: int) -> bool:
    """Whether two counts by a server are of other content; 0 is no count."""
    gap = abs(one - other)
    return other > 0 and gap > _COUNT and gap > _SHARE * max(one, other)


def _is_doubtful(estimate: int, count: int) -> bool:
    return count > 0 and not estimate / _ROUGHLY <= count <= estimate * _ROUGHLY
