"""What a claim may adopt, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from provisioner.model.attributes import UNKNOWN, Adoption, Measure
from provisioner.model.records import DesiredCache, LiveCache, RecordedCache
from provisioner.planner import plan
from provisioner.planner.live_index import remarks
from tests.builders import NOW, STACK, desired, live, recorded, state

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
