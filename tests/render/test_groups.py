"""What is alike is one row, and adds up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model import Annotate, Create, Reason, Retire
from provisioner.model.money import FREE, AnnotationUse
from provisioner.render.groups import FEW, grouped
from provisioner.render.row import Row
from tests.builders import HOUR, annotation, live, noted, recorded
from tests.render.scene import AT, cache, plan_of, view


def created(*names: str, model: str = "gemini-3.8-flash") -> list[Row]:
    changes = [Create(cache(name, model=model), None, Reason.NEW) for name in names]
    return [*view(plan_of(*changes)).rows]


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
    removed = [
        Retire(live(cache(name)), recorded(cache(name)), Reason.UNDECLARED) for name in many("a")
    ]
    rows = [
        *created(*many("a")),
        *view(plan_of(*removed)).rows,
        *created(*many("a"), model="gemini-3.7-flash"),
        *created("plain"),
    ]

    assert [(one.row.action, one.size) for one in grouped(rows)] == [
        ("create", 6),
        ("retire", 6),
        ("create", 6),
        ("create", 1),
    ]


def test_sizes_and_tokens_add_up() -> None:
    """A group holds what its rows hold, and its count is an estimate if any of them is."""
    (group,) = grouped(created(*many("a")))

    assert (group.row.sizes, group.row.tokens) == ("4.9 MB", "~1.2M")


def test_sentences_that_differ_are_the_reason() -> None:
    """What dies at several times is told by why it dies."""
    removed = [
        Retire(
            live(cache(name), expires_at=AT + HOUR * at / 9),
            recorded(cache(name)),
            Reason.UNDECLARED,
        )
        for at, name in enumerate(many("a"), 1)
    ]

    assert grouped(view(plan_of(*removed)).rows)[0].row.why == "undeclared"


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
