"""What a look at the providers corrects: the record, and what applications read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from provisioner.model.records import LiveCache, RecordedCache
from provisioner.planner.observations import believable, unsaved
from tests.builders import HOUR, NOW, annotation, desired, live, noted, recorded, retiring, state

A, B = desired("a"), desired("b")
ON_RECORD = state(
    recorded(A, "cachedContents/a"),
    recorded(B, "cachedContents/b"),
    noted(annotation("n")),
    retiring=[retiring(id="cachedContents/old")],
)
SECOND = timedelta(seconds=1)


def expiries(known: list[LiveCache]) -> dict[str, object]:
    told = believable(ON_RECORD, ON_RECORD, known)
    return {
        name: record.expires_at
        for name, record in told.caches.items()
        if isinstance(record, RecordedCache)
    }


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (-HOUR, False),
        (0 * HOUR, False),
        (2 * SECOND, False),
        (2 * SECOND + timedelta.resolution, True),
        (HOUR, True),
    ],
)
def test_a_life_that_was_never_saved(later: timedelta, told: bool) -> None:  # noqa: FBT001
    """A cache that lives longer than recorded is written down as it is, and no other."""
    end = ON_RECORD.caches["a"].updated_at + 6 * HOUR + later
    own = live(A, "cachedContents/a", updated_at=NOW + HOUR, expires_at=end)
    other = live(B, "cachedContents/b")

    facts = [*unsaved(ON_RECORD, [own, other, live(A, "cachedContents/unknown", expires_at=end)])]

    known = [(f.record.name, f.record.updated_at) for f in facts]
    assert known == ([("a", NOW + HOUR)] if told else [])
    assert [f.record.expires_at for f in facts if isinstance(f.record, RecordedCache)] == [
        end for _ in facts
    ]


def test_what_was_not_seen_was_not_extended() -> None:
    """Of a cache that was not seen nothing is written down."""
    assert [*unsaved(ON_RECORD, [])] == []


def test_what_retires_and_lives() -> None:
    """A retiring cache that was seen is still the previous one of its name."""
    told = believable(ON_RECORD, ON_RECORD, [live(A, "cachedContents/old")])

    assert list(told.retiring) == ["cachedContents/old"]


def test_what_is_gone() -> None:
    """A cache that was not seen, or of another project, is left out; annotations are not."""
    seen = live(B, "cachedContents/b")
    told = believable(ON_RECORD, ON_RECORD, [seen, live(A, "cachedContents/a", provider="other")])

    assert set(told.caches) == {"b", "n"}
    assert not told.retiring


def test_no_promise_beyond_the_providers() -> None:
    """What was cut short is published as short, and what lives longer as recorded."""
    short = live(A, "cachedContents/a", expires_at=NOW + HOUR)
    long = live(B, "cachedContents/b", expires_at=NOW + 9 * HOUR)

    assert expiries([short, long]) == {"a": NOW + HOUR, "b": NOW + 6 * HOUR}


def test_what_was_touched_since_is_believed() -> None:
    """What this run made, extended or retired after the look is published as it is on record."""
    anew = recorded(A, "cachedContents/new")
    after = replace(
        ON_RECORD,
        caches={**ON_RECORD.caches, "a": anew},
        retiring={"cachedContents/a": retiring(A, "cachedContents/a")},
    )

    told = believable(after, ON_RECORD, [])

    assert told.caches["a"] == anew
    assert "b" not in told.caches
    assert list(told.retiring) == ["cachedContents/a"]


def test_the_end_of_time() -> None:
    """What never ends is compared like anything else."""
    end = datetime.max.replace(tzinfo=UTC)
    never = recorded(A, "cachedContents/a", expires_at=end)
    own = live(A, "cachedContents/a", expires_at=end)

    assert [*unsaved(state(never), [own])] == []


def test_another_name_is_no_other_life() -> None:
    """What goes on under another name, and was seen to be gone, is gone under that name too."""
    moved = replace(ON_RECORD.caches["a"], name="c")
    told = believable(state(moved), ON_RECORD, [])

    assert not told.caches
