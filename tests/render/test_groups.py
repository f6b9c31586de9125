"""What is alike is one row, and adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model import (
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    DesiredCache,
    Forget,
    Note,
    Reason,
    Refresh,
    Retire,
    Settings,
)
from provisioner.model.money import FREE, AnnotationUse
from provisioner.render.groups import FEW, grouped
from provisioner.view.row import Row
from tests.builders import HOUR, annotation, live, noted, recorded
from tests.render.fixtures import AT, cache, plan_of, view


def created(*names: str, model: str = "gemini-3.8-flash") -> list[Row]:
    return rows_of(Create(cache(name, model=model), None, Reason.NEW) for name in names)


def rows_of(changes: Iterable[Change]) -> list[Row]:
    return [*view(plan_of(*changes)).rows]


def note(name: str, settings: Settings) -> Note:
    want = cache(name, settings=settings)
    return Note(want, live(want), recorded(cache(name)), Reason.SETTINGS)


def refresh(name: str, minutes: int = 30) -> Refresh:
    want = cache(name)
    seen = live(want, expires_at=AT + HOUR * minutes / 60)
    return Refresh(want, seen, recorded(want), Reason.EXPIRING)


def many(prefix: str, count: int = FEW + 1) -> list[str]:
    return [f"{prefix}-{at}" for at in range(count)]


@given(st.lists(st.sampled_from([*many("a"), *many("a-b"), *many("c"), "d"]), max_size=40))
def test_nothing_is_lost(names: list[str]) -> None:
    """However names begin, groups hold as many rows, tokens and dollars as there were."""
    rows = created(*names)
    groups = grouped(rows)
    costs, wholes = [row.cost for row in rows], [group.row.cost for group in groups]

    assert sum(group.size for group in groups) == len(rows)
    assert sum((one.figures for one in wholes if one), FREE) == sum(
        (one.figures for one in costs if one), FREE
    )


def test_few_are_listed() -> None:
    """Five that are alike are five rows, six are one."""
    assert len(grouped(created(*many("a", FEW)))) == FEW
    assert [(one.row.name, one.size) for one in grouped(created(*many("a")))] == [("a-*", 6)]


def test_the_longest_beginning_is_named() -> None:
    """A name is cut at a hyphen, as far along as all agree; one that is whole counts too."""
    assert grouped(created(*many("tenant-acme")))[0].row.name == "tenant-acme-*"
    assert grouped(created(*many("tenant-acme"), "tenant-b"))[0].row.name == "tenant-*"
    assert grouped(created(*many("manual-1")[:5], "manual-10"))[0].row.name == "manual-*"


def test_only_what_is_alike_goes_together() -> None:
    """Another model, or another thing to do, is another group."""
    rows = [
        *created(*many("a")),
        *rows_of(map(refresh, many("a"))),
        *created(*many("a"), model="gemini-3.7-flash"),
        *created("plain"),
    ]

    assert [(one.row.action, one.size) for one in grouped(rows)] == [
        ("create", 6),
        ("refresh", 6),
        ("create", 6),
        ("create", 1),
    ]


def test_sizes_and_tokens_add_up() -> None:
    """A group holds what its rows hold, and its count is an estimate if any of them is."""
    (group,) = grouped(created(*many("a")))

    assert (group.row.sizes, group.row.tokens) == ("4.9 MB", "~1.2M")


def test_sentences_that_differ_are_the_reason() -> None:
    """What a schedule renews before several times is told by why it does."""
    rows = rows_of(refresh(name, minutes) for minutes, name in enumerate(many("a"), 1))
    (group,) = grouped(rows)

    assert (group.row.why, group.size) == ("expiring", 6)


LONGER = Settings(refresh_before=HOUR, retire_after=2 * HOUR)
GUARDED = Settings(refresh_before=HOUR, retire_after=HOUR, protect=True)


@given(st.lists(st.sampled_from([LONGER, GUARDED]), max_size=20))
def test_every_edit_is_told(settings: list[Settings]) -> None:
    """Edits go together only if one sentence tells all of each."""
    rows = rows_of(note(f"prod-{at}", one) for at, one in enumerate(settings))
    told: Counter[str] = Counter()
    for group in grouped(rows):
        told[group.row.why] += group.size

    assert told == Counter(row.why for row in rows)


@pytest.mark.parametrize(
    "remove",
    [
        lambda want: Retire(live(want), recorded(want), Reason.UNDECLARED),
        lambda want: Delete(live(want), recorded(want), Reason.UNDECLARED),
        lambda want: Forget(recorded(want), Reason.UNDECLARED),
    ],
)
def test_every_removal_is_named(remove: Callable[[DesiredCache], Change]) -> None:
    """However many caches an edit removes, each has its row."""
    names = many("prod", 40)
    groups = grouped(rows_of(remove(cache(name)) for name in names))

    assert [group.row.name for group in groups] == names


def test_what_nobody_edited_goes_together() -> None:
    """What is deleted because it drifted is nobody's edit, and counted."""
    strays = rows_of(Delete(live(cache(name)), None, Reason.STRAY) for name in many("a"))

    assert [group.size for group in grouped(strays)] == [FEW + 1]


def test_refusals_go_together_by_sentence() -> None:
    """What is refused for the same reason is counted; for another it has its own row."""
    reasons = [*["it is protected"] * (FEW + 1), "it takes over what is another's"]
    rows = rows_of(
        Blocked(None, live(cache(name)), recorded(cache(name)), Reason.UNDECLARED, why)
        for name, why in zip(many("a", len(reasons)), reasons, strict=True)
    )

    assert [(one.row.why, one.size) for one in grouped(rows)] == [
        (reasons[0], FEW + 1),
        (reasons[-1], 1),
    ]


def test_writes_add_up() -> None:
    """A group of annotations costs what all their writes cost."""
    notes = [annotation(name) for name in many("a")]
    sized = [replace(one, measure=replace(one.measure, tokens=10**6)) for one in notes]
    rows = view(plan_of(*(Annotate(one, None, noted(one), Reason.CONTENT) for one in sized))).rows
    (group,) = grouped(rows)

    assert group.row.cost
    assert isinstance(group.row.cost.use, AnnotationUse)
    assert rows[0].cost
    assert isinstance(rows[0].cost.use, AnnotationUse)
    assert group.row.cost.use.write.nano == 6 * rows[0].cost.use.write.nano
