"""A part of a plan, by names or by the content that there is."""

from __future__ import annotations

from msgspec.structs import replace

from provisioner.model.changes import Create, Reason, Refresh
from provisioner.model.plan import Edit
from provisioner.model.stack_settings import SettingEdit
from provisioner.planner import plan
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.planner.selection import part_of, select, unmatched, without_content
from tests.builders import (
    HOUR,
    NOW,
    STACK,
    desired,
    live,
    recorded,
    state,
)

A, B, OTHER = desired("tenant-a"), desired("tenant-b"), desired("manual")
TOLD = plan(
    [A, B], state(recorded(A), recorded(OTHER, "cachedContents/2")), [live(A)], stack=STACK, now=NOW
)


def names(targets: tuple[str, ...] = (), excludes: tuple[str, ...] = ()) -> list[str]:
    chosen = select(TOLD, targets=targets, excludes=excludes)
    return [change.name for change in chosen.changes]


def test_targets_and_excludes() -> None:
    """Globs choose by name; what is excluded is out even if it is a target."""
    assert names() == ["tenant-a", "tenant-b", "manual"]
    assert names(targets=("tenant-*",)) == ["tenant-a", "tenant-b"]
    assert names(excludes=("*-b",)) == ["tenant-a", "manual"]
    assert names(targets=("tenant-*",), excludes=("*-a",)) == ["tenant-b"]


def test_edits_follow() -> None:
    """A part has the edits of its names only, and says that it is a part."""
    part = select(TOLD, targets=("tenant-*",), excludes=())

    assert part.is_partial
    assert part.edits == {Edit("tenant-b", B.after)}
    assert not select(TOLD, targets=(), excludes=()).is_partial


def test_unmatched() -> None:
    """A pattern that matches nothing is named, and one that matches is not."""
    assert unmatched(TOLD, ("tenant-*", "tennant-*")) == ("tennant-*",)


def test_a_part_by_names() -> None:
    """A part is what is about some names; the rest is left out, settings with it."""
    whole = replace(
        TOLD,
        settings=(SettingEdit(key="publish", before=None, after="x"),),
        rested=frozenset({Edit("tenant-a", None), Edit("manual", None)}),
    )
    part = part_of(whole, {"tenant-a"})

    assert [change.name for change in part.changes] == ["tenant-a"]
    assert [change.name for change in part.left_out] == ["tenant-b", "manual"]
    assert (part.edits, part.settings) == (frozenset(), ())
    assert part.rested == {Edit("tenant-a", None)}


def test_the_dead_are_made_again_if_their_content_is_there() -> None:
    """A cache whose recorded content is gone leaves a gap, and the others are made."""
    other = desired("tenant-b", "y")
    before = state(recorded(A), recorded(other, "cachedContents/2"))
    whole = plan(recorded_as_desired(before), before, [], stack=STACK, now=NOW + 9 * HOUR)

    rest, gaps = without_content(whole, {A.digest})

    assert [change.want.name for change in rest.changes if isinstance(change, Create)] == [
        "tenant-a"
    ]
    assert [gap.want.name for gap in gaps] == ["tenant-b"]
    assert {gap.reason for gap in gaps} == {Reason.EXPIRED}


def test_what_lives_needs_no_content() -> None:
    """What lives is refreshed, though the working tree lacks its content."""
    before = state(recorded(A))
    whole = plan(recorded_as_desired(before), before, [live(A)], stack=STACK, now=NOW + 5 * HOUR)

    assert without_content(whole, ()) == (whole, ())
    assert [type(change) for change in whole.changes] == [Refresh]
