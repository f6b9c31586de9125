"""What a claim may adopt, and what a look at the providers corrects: record and handles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from provisioner.model.attributes import UNKNOWN, Adoption, Measure
from provisioner.model.records import DesiredCache, LiveCache, RecordedCache
from provisioner.planner import plan
from provisioner.planner.live_index import believable, remarks, unsaved
from tests.builders import (
    HOUR,
    NOW,
    STACK,
    annotation,
    desired,
    live,
    noted,
    recorded,
    retiring,
    state,
)

ID = "cachedContents/hand"
A = desired("a")
CLAIM = desired("a", adopt=Adoption(ID))
VOUCHED = desired("a", adopt=Adoption(ID, A.label.mark))
STALE = desired("a", adopt=Adoption(ID, "0" * 16))
HAND = live(A, ID, label=None)
TWIN = live(A, "cachedContents/2")
ECHOED = replace(TWIN, model="another")
WRITE = f"a: write adopt: {ID}@{A.label.mark}"
IGNORED = "a: adopt is ignored"
REPORTS = "a: the provider reports another as the model"
COUNTED = "a: cachedContents/hand has 201 tokens where about 100 are expected"
B = desired("b")
ON_RECORD = state(
    recorded(A, "cachedContents/a"),
    recorded(B, "cachedContents/b"),
    noted(annotation("n")),
    retiring=[retiring(id="cachedContents/old")],
)
SECOND = timedelta(seconds=1)


def verbs(want: DesiredCache, named: LiveCache) -> list[str]:
    return [c.verb for c in plan([want], state(), [named], stack=STACK, now=NOW).changes]


def sized(want: DesiredCache, tokens: int, *, counted: bool = False) -> DesiredCache:
    return replace(want, measure=Measure(tokens=tokens, counted=counted))


@pytest.mark.parametrize(
    ("want", "records", "seen", "starts"),
    [
        (CLAIM, [], [HAND], [WRITE]),
        (VOUCHED, [], [HAND], []),
        (VOUCHED, [], [replace(HAND, model="another")], [REPORTS]),
        (sized(VOUCHED, 100), [], [replace(HAND, tokens=201)], [COUNTED]),
        (sized(VOUCHED, 100), [], [replace(HAND, tokens=200)], []),
        (sized(VOUCHED, 402), [], [replace(HAND, tokens=201)], []),
        (sized(VOUCHED, 100), [], [replace(HAND, tokens=0)], []),
        (sized(VOUCHED, UNKNOWN), [], [replace(HAND, tokens=201)], []),
        (sized(VOUCHED, 200, counted=True), [], [replace(HAND, tokens=201)], []),
        (sized(VOUCHED, 5, counted=True), [], [replace(HAND, tokens=11)], []),
        (A, [], [TWIN], []),
        (VOUCHED, [], [TWIN], []),
        (STALE, [], [TWIN], [IGNORED]),
        (STALE, [], [ECHOED], [IGNORED, REPORTS]),
        (A, [], [ECHOED], [REPORTS]),
        (STALE, [], [], [IGNORED]),
        (VOUCHED, [], [], []),
        (CLAIM, [], [], []),
        (A, [], [], []),
        (STALE, [recorded(A)], [TWIN], []),
        (STALE, [recorded(A)], [], []),
        (STALE, [recorded(A)], [live(A)], []),
    ],
)
def test_remarks(
    want: DesiredCache,
    records: Sequence[RecordedCache],
    seen: Sequence[LiveCache],
    starts: Sequence[str],
) -> None:
    """An import says what it rests on; a claim for other content is named as ignored."""
    planned = plan([want], state(*records), seen, stack=STACK, now=NOW)
    sentences = [*remarks(planned)]

    assert len(sentences) == len(starts)
    assert all(
        sentence.startswith(start) for sentence, start in zip(sentences, starts, strict=True)
    )


@pytest.mark.parametrize(("count", "is_doubted"), [(99, True), (100, False), (1, True)])
def test_a_count_that_is_low(count: int, *, is_doubted: bool) -> None:
    """An estimate is doubted where the count is less than half of it."""
    want = sized(VOUCHED, 200)
    planned = plan([want], state(), [replace(HAND, tokens=count)], stack=STACK, now=NOW)

    assert bool([*remarks(planned)]) == is_doubted


@pytest.mark.parametrize(
    ("declared", "counted", "verb"),
    [
        (116, 100, "adopt"),
        (117, 100, "blocked"),
        (100, 117, "blocked"),
        (10_000, 9_900, "adopt"),
        (10_000, 9_899, "blocked"),
        (10_101, 10_000, "adopt"),
        (10_102, 10_000, "blocked"),
        (5_000, 0, "adopt"),
        (5_000, 1, "blocked"),
    ],
)
def test_two_counts(declared: int, counted: int, verb: str) -> None:
    """Counts by the server that differ by more than 16 and 1 % are of other content."""
    want = sized(CLAIM, declared, counted=True)

    assert verbs(want, replace(HAND, tokens=counted)) == [verb]


def test_an_estimate_forbids_nothing() -> None:
    """What was only estimated may be adopted, however many tokens the provider counts."""
    assert verbs(sized(CLAIM, 100), replace(HAND, tokens=5_000)) == ["adopt"]


def test_what_another_entry_has_on_record() -> None:
    """A cache without a label that an entry has on record is that entry's."""
    first = desired("b", adopt=Adoption(ID))
    memory = state(recorded(first, ID))
    keep, blocked = plan([first, CLAIM], memory, [HAND], stack=STACK, now=NOW).changes

    assert (keep.verb, blocked.verb) == ("keep", "blocked")


def test_what_another_entry_adopted() -> None:
    """A cache that one entry has on record is no other's by its label."""
    other = desired("b", adopt=Adoption(TWIN.id))
    memory = state(recorded(other, TWIN.id))
    changes = plan([A, other], memory, [TWIN], stack=STACK, now=NOW).changes

    assert [(c.name, c.verb) for c in changes] == [("a", "create"), ("b", "keep")]


@pytest.mark.parametrize(
    ("records", "replaced"), [([recorded(A)], ()), ([], ("a",)), ([recorded(A)], ("a",))]
)
def test_a_claim_counts_once(records: Sequence[RecordedCache], replaced: Sequence[str]) -> None:
    """A claim adopts for an entry without a record, and not where a new cache is asked for."""
    planned = plan([CLAIM], state(*records), [HAND], stack=STACK, now=NOW, replace=replaced)

    assert [c.verb for c in planned.changes] == ["create"]


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
