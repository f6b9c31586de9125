"""What each change does to what is paid for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from provisioner.model.attributes import Measure, Settings, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Move,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.planner import decision_table as table
from provisioner.pricing.effects import Effect, effect
from provisioner.pricing.rates import MONTH, tariffs
from tests.builders import HOUR, NOW, annotation, desired, live, noted, recorded, retiring
from tests.pricing.prices import lookup

OLD = desired("a", "old", model="flat", measure=Measure(tokens=1_000))
NEW = desired("a", "new", model="flat", measure=Measure(tokens=2_000))
LIVE = live(OLD, tokens=1_111)
RECORD = replace(recorded(OLD), measure=Measure(tokens=1_111, counted=True))
TWIN = live(NEW, id="cachedContents/2", tokens=2_222)
NOTE = annotation("a", model="noted", measure=Measure(tokens=500))
ONCE = Settings(keep="once")


def of(change: Change) -> Effect:
    return effect(change, tariffs(lookup), NOW)


def counts(change: Change) -> tuple[int | None, list[int], int | None, int | None]:
    """Tokens made, alive before, alive after, fading."""
    done = of(change)
    return (
        done.makes.tokens if done.makes else None,
        [held.tokens for held in done.before],
        done.after.tokens if done.after else None,
        done.fading.held.tokens if done.fading else None,
    )


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), (2000, [], 2000, None)),
        (Replace(NEW, LIVE, RECORD, Reason.CONTENT, table.OUTDATED), (2000, [1111], 2000, 1111)),
        (Adopt(NEW, TWIN, None, None, Reason.FOUND, table.TWIN), (None, [2222], 2222, None)),
        (
            Adopt(NEW, TWIN, LIVE, RECORD, Reason.CONTENT, table.TWIN),
            (None, [2222, 1111], 2222, 1111),
        ),
        (Adopt(NEW, TWIN, None, RECORD, Reason.CONTENT, table.TWIN), (None, [2222], 2222, None)),
        (Refresh(OLD, LIVE, RECORD, Reason.EXPIRING, table.DUE), (None, [1111], 1111, None)),
        (Note(OLD, LIVE, RECORD, Reason.SETTINGS, table.SETTINGS), (None, [1111], 1111, None)),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), (None, [1111], 1111, None)),
        (Keep(OLD, None, RECORD, Reason.ENDED, table.ENDED), (None, [], None, None)),
        (Annotate(NOTE, None, None, Reason.NEW, table.ANNOTATION), (None, [], None, None)),
        (
            Annotate(NOTE, LIVE, RECORD, Reason.PROVIDER, table.ANNOTATION),
            (None, [1111], None, 1111),
        ),
        (Keep(NOTE, None, noted(NOTE), Reason.CURRENT, table.ANNOTATED), (None, [], None, None)),
        (Retire(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), (None, [1111], None, 1111)),
        (Delete(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), (None, [1111], None, None)),
        (Delete(LIVE, None, Reason.STRAY, table.STRAY), (None, [1111], None, None)),
        (Forget(RECORD, Reason.UNDECLARED, table.UNDECLARED_GONE), (None, [], None, None)),
        (Move("b", RECORD, Reason.MOVED, table.MOVED), (None, [], None, None)),
        (Leave(LIVE, retiring(OLD), Reason.RETIRING, table.RETIRING), (None, [1111], 1111, None)),
        (Leave(LIVE, None, Reason.STRAY, table.STRAY), (None, [1111], 1111, None)),
        (
            Blocked(None, LIVE, RECORD, Reason.UNDECLARED, "no", table.UNDECLARED_PROTECTED),
            (None, [1111], 1111, None),
        ),
        (
            Blocked(NEW, LIVE, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE),
            (None, [1111], 1111, None),
        ),
    ],
)
def test_every_change(
    change: Change, tokens: tuple[int | None, list[int], int | None, int | None]
) -> None:
    """Each change makes, keeps and lets go what it says."""
    assert counts(change) == tokens


@pytest.mark.parametrize(
    ("change", "lasts"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), MONTH),
        (Create(replace(NEW, settings=ONCE), None, Reason.NEW, table.NOTHING_ALIVE), 6 * HOUR),
        (Create(replace(NEW, life=Until(NOW + HOUR)), None, Reason.NEW, table.NOTHING_ALIVE), HOUR),
        (
            Create(
                replace(NEW, life=Until(NOW + 2 * MONTH)), None, Reason.NEW, table.NOTHING_ALIVE
            ),
            MONTH,
        ),
        (
            Create(replace(NEW, life=Until(NOW - HOUR)), None, Reason.NEW, table.NOTHING_ALIVE),
            timedelta(),
        ),
        (Refresh(replace(OLD, life=Until(NOW + HOUR)), LIVE, RECORD, Reason.LIFE, table.DUE), HOUR),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), MONTH),
        (
            Keep(replace(OLD, settings=ONCE), LIVE, RECORD, Reason.CURRENT, table.UNCHANGED),
            6 * HOUR,
        ),
        (
            Keep(replace(OLD, life=Until(NOW)), LIVE, RECORD, Reason.CURRENT, table.UNCHANGED),
            6 * HOUR,
        ),
        (
            Adopt(replace(NEW, settings=ONCE), TWIN, None, None, Reason.FOUND, table.TWIN),
            6 * HOUR,
        ),
        (Delete(LIVE, None, Reason.STRAY, table.STRAY), 6 * HOUR),
        (Leave(LIVE, retiring(OLD), Reason.RETIRING, table.RETIRING), 6 * HOUR),
        (Blocked(None, LIVE, RECORD, Reason.UNDECLARED, "no", table.UNDECLARED_PROTECTED), MONTH),
        (Blocked(NEW, LIVE, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE), 6 * HOUR),
    ],
)
def test_how_long(change: Change, lasts: timedelta) -> None:
    """What is kept warm lives all month, and the rest to its end."""
    assert of(change).lasts == lasts


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), 2000),
        (Adopt(NEW, TWIN, None, None, Reason.FOUND, table.TWIN), 2222),
        (Refresh(OLD, LIVE, RECORD, Reason.EXPIRING, table.DUE), 1111),
        (Note(OLD, LIVE, RECORD, Reason.SETTINGS, table.SETTINGS), 1111),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), 1111),
        (Annotate(NOTE, LIVE, RECORD, Reason.PROVIDER, table.ANNOTATION), 500),
        (Keep(NOTE, None, noted(NOTE), Reason.CURRENT, table.ANNOTATED), 500),
        (Keep(OLD, None, RECORD, Reason.ENDED, table.ENDED), None),
        (Retire(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), None),
    ],
)
def test_what_is_of_use(change: Change, tokens: int | None) -> None:
    """What is declared, and there after its change, has its content; the rest is of no use."""
    done = of(change)

    assert (done.wanted.tokens if done.wanted else None) == tokens
    assert done.want == (change.want if tokens else None)


@pytest.mark.parametrize(
    ("after", "remaining", "span"),
    [
        (HOUR, 6 * HOUR, HOUR),
        (HOUR, HOUR / 2, HOUR / 2),
        (timedelta(), 6 * HOUR, timedelta()),
        (HOUR, -HOUR, timedelta()),
    ],
)
def test_how_long_the_old_one_fades(
    after: timedelta, remaining: timedelta, span: timedelta
) -> None:
    """An old cache lives on as long as its record says, but no longer than it has."""
    old = replace(LIVE, expires_at=NOW + remaining)
    record = replace(RECORD, settings=Settings(retire_after=after))
    fading = of(Replace(NEW, old, record, Reason.CONTENT, table.OUTDATED)).fading

    assert fading is not None
    assert fading.span == span


def test_content_that_was_counted_once() -> None:
    """A cache that is made again has the tokens that its very content was counted to have."""
    made = of(Create(OLD, RECORD, Reason.EXPIRED, table.NOTHING_ALIVE)).makes
    other = of(Create(NEW, RECORD, Reason.CONTENT, table.NOTHING_ALIVE)).makes

    assert made is not None
    assert other is not None
    assert (made.tokens, made.estimated) == (1111, False)
    assert (other.tokens, other.estimated) == (2000, True)


def test_content_counted_before_it_is_made() -> None:
    """What the provider counted for a plan is no estimate."""
    want = replace(NEW, measure=Measure(tokens=2100, counted=True))
    made = of(Create(want, None, Reason.NEW, table.NOTHING_ALIVE)).makes

    assert made is not None
    assert (made.tokens, made.estimated) == (2100, False)


def test_a_revision_that_stands_for_what_lives() -> None:
    """Where what is alive is only supposed, its tokens are as sure as its record."""
    supposed = replace(RECORD, measure=Measure(tokens=1_000, counted=False))
    (before,) = of(Keep(OLD, LIVE, supposed, Reason.CURRENT, table.UNCHANGED)).before

    assert before.estimated


def test_a_provider_that_tells_no_count() -> None:
    """Without the provider's count the recorded one is the best there is."""
    (before,) = of(
        Keep(OLD, replace(LIVE, tokens=0), RECORD, Reason.CURRENT, table.UNCHANGED)
    ).before

    assert (before.tokens, before.estimated) == (1111, True)


def test_the_count_of_the_provider_is_the_latest() -> None:
    """What the provider counts in a live cache stands before what is on record."""
    (before,) = of(
        Keep(OLD, replace(LIVE, tokens=1_234), RECORD, Reason.CURRENT, table.UNCHANGED)
    ).before

    assert (before.tokens, before.estimated) == (1_234, False)


def test_the_record_of_another_cache() -> None:
    """A record that names another cache says nothing of what a live one holds."""
    supposed = replace(RECORD, id="cachedContents/9", measure=Measure(tokens=7, counted=False))
    (before,) = of(Blocked(NEW, LIVE, supposed, Reason.IMPORTED, "no", table.NOT_ADOPTABLE)).before

    assert (before.tokens, before.estimated) == (1_111, False)
