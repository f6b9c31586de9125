"""An explanation tells all that decided, and reads well."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.model.attributes import Settings, Ttl, Until
from provisioner.model.changes import (
    Annotate,
    Change,
    Create,
    Forget,
    Keep,
    Leave,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import Call
from provisioner.planner import decision_table as table
from provisioner.planner.transitions import Flip
from provisioner.pricing import cost, price_list
from provisioner.render.explain import (
    Explanation,
    explain_json,
    explain_text,
    granted_of,
    settings_of,
    tenses,
)
from provisioner.render.layout import columns
from tests.builders import HOUR, NOW, annotation, desired, live, noted, recorded, retiring
from tests.pricing.prices import FLAT
from tests.render.fixtures import AT, FAQ, MANUAL, MANUAL_EDITED, PLAN, cache, golden
from tests.test_escape import COMMAND, NASTY

LONG_ID = "cachedContents/" + "0123456789abcdef" * 2
STEADY = cache("steady")
REPLACED = Replace(
    MANUAL_EDITED, live(MANUAL, LONG_ID), recorded(MANUAL, LONG_ID), Reason.CONTENT, table.OUTDATED
)
KEPT = Keep(STEADY, live(STEADY), recorded(STEADY), Reason.CURRENT, table.UNCHANGED)
PRICES = load_catalog().find
LISTED = FLAT.prices[0]
DUE = Refresh(STEADY, live(STEADY), recorded(STEADY), Reason.EXPIRING, table.DUE)


def explained(change: Change) -> Explanation:
    return Explanation(
        change=change,
        at=AT,
        declared=None,
        window=None,
        calls=(),
        flips=(),
        cost=cost(change, PRICES, at=AT),
        prices=price_list(change, PRICES, at=AT),
    )


FULL = (
    replace(
        explained(REPLACED),
        declared="support-bot/ctxprov.yaml:14:3",
        calls=(
            Call(method="POST", path="cachedContents", life=Ttl(6 * HOUR)),
            Call(method="PATCH", path=LONG_ID, life=Ttl(HOUR)),
        ),
        flips=(
            Flip(
                at=NOW + 6 * HOUR,
                change=Create(MANUAL, REPLACED.record, Reason.CONTENT, table.NOTHING_ALIVE),
            ),
        ),
    ),
    replace(
        explained(KEPT),
        window=NOW + 5 * HOUR + timedelta(minutes=30),
        flips=(Flip(at=NOW + 5.5 * HOUR, change=DUE), Flip(at=NOW + 30 * HOUR, change=None)),
    ),
)


def text(change: Change, **fields: object) -> str:
    one = replace(explained(change), **fields)
    return explain_text([one], width=100, colour=False)


@pytest.mark.parametrize("width", [80, 120])
def test_golden(width: int) -> None:
    """Tenses side by side, thresholds, calls and what comes next, as read and found good."""
    page = explain_text(FULL, width=width, colour=False)

    assert page == golden(f"explain-{width}.txt")
    assert all(columns(line) <= width for line in page.splitlines())


def test_golden_json() -> None:
    """The same for machines: whole digests, moments and durations, and no word to parse."""
    assert explain_json("demo", FULL) == golden("explain.json")


@pytest.mark.parametrize("change", PLAN.changes, ids=lambda change: type(change).__name__)
def test_every_change(change: Change) -> None:
    """Every change of a plan can be explained."""
    page = text(change)

    assert change.reason.name in page
    assert "Apply would call\n  no API calls" in page
    assert "nothing else is decided until something is edited" in page
    assert json.loads(explain_json("demo", [explained(change)]))["explanations"][0]["why"]


def test_windows() -> None:
    """When the window opens, or that there is none and why."""
    once = cache("a", settings=Settings(keep="once"))
    fixed = cache("a", life=Until(AT + HOUR))

    assert "opens 17:40Z (in 30m), 1h before the end" in text(KEPT, window=AT + HOUR / 2)
    assert "open since 16:10Z, 1h before the end" in text(DUE, window=AT - HOUR)
    assert "none: keep once" in text(Create(once, None, Reason.NEW, table.NOTHING_ALIVE))
    assert "none: it ends at its expires_at" in text(
        Create(fixed, None, Reason.NEW, table.NOTHING_ALIVE)
    )
    assert "6h, if the provider grants it" in text(
        Create(cache("a"), None, Reason.NEW, table.NOTHING_ALIVE)
    )


def test_what_has_no_thresholds() -> None:
    """What is not refreshed or retired by its settings shows none."""
    note = annotation("n", "y")

    assert "Thresholds" not in text(
        Annotate(note, None, noted(annotation("n")), Reason.CONTENT, table.ANNOTATION)
    )
    assert "Thresholds" not in text(
        Leave(live(FAQ), retiring(FAQ), Reason.RETIRING, table.RETIRING)
    )
    assert "window" not in text(
        Retire(live(FAQ), recorded(FAQ), Reason.UNDECLARED, table.UNDECLARED)
    )


def test_what_the_money_rests_on() -> None:
    """The day and the source of the prices are shown, and that they are uncertain."""
    doubt = "These prices rest on a single report or on an inference."

    assert "By the prices of 2026-01-01: somewhere\n" in text(KEPT, prices=LISTED)
    assert doubt not in text(KEPT, prices=LISTED)
    assert doubt in text(KEPT, prices=replace(LISTED, uncertain=True))
    assert "By the prices of" not in text(KEPT, prices=None)


def test_tenses_that_disagree_are_marked() -> None:
    """An edit is marked where it is, and the passing of time is not."""
    lines = explain_text(FULL[:1], width=120, colour=False).splitlines()

    assert [line.split()[1] for line in lines if line.startswith("≠")] == ["digest", "label"]


@given(odd=NASTY)
def test_foreign_text_is_harmless(odd: str) -> None:
    """Names and ids from elsewhere are shown, and do nothing."""
    stray = Leave(live(STEADY, odd, model=odd), None, Reason.STRAY, table.STRAY)
    page = text(stray, calls=(Call(method="DELETE", path=odd),), prices=replace(LISTED, source=odd))

    assert all(char.isprintable() or char == "\n" for char in page)
    assert not COMMAND.search(page)


A = desired("a")
KEPT_A = Keep(A, live(A), recorded(A), Reason.CURRENT, table.UNCHANGED)


def test_each_side_has_what_it_knows() -> None:
    """The label and the last update stand on the side that has them, and nothing is guessed."""
    want, record, alive = tenses(KEPT_A)

    assert want is not None
    assert record is not None
    assert alive is not None
    assert (want.label, record.label, alive.label) == (A.label, None, A.label)
    assert (want.updated_at, record.updated_at, alive.updated_at) == (None, NOW, NOW)
    shown = alive.snapshot
    assert (want.snapshot.expires_at, shown.digest, shown.settings) == (None, None, None)
    assert want.snapshot.digest == record.snapshot.digest == A.digest


def test_a_side_that_is_not_there() -> None:
    """What is not declared, not on record or not alive is None."""
    made = Create(A, None, Reason.NEW, table.NOTHING_ALIVE)
    gone = Forget(noted(annotation("a")), Reason.UNDECLARED, table.UNDECLARED_GONE)

    assert [side is None for side in tenses(made)] == [False, True, True]
    assert [side is None for side in tenses(gone)] == [True, False, True]


def test_a_retiring_cache_ends_when_the_provider_says() -> None:
    """Its record holds the expiry that was granted, or until when it lives at least."""
    cache = retiring(A)
    _, record, _ = tenses(Leave(live(A), cache, Reason.RETIRING, table.RETIRING))

    assert record is not None
    assert record.snapshot.expires_at == (cache.expires_at or cache.until)


def test_thresholds_are_measured_by_the_granted_life() -> None:
    """That is the live cache's, or the ttl that is asked for; an expires_at has none."""
    dated = desired("a", life=Until(NOW + HOUR))

    assert granted_of(KEPT_A) == 6 * HOUR
    assert granted_of(Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE)) == 6 * HOUR
    assert granted_of(Create(A, None, Reason.NEW, table.NOTHING_ALIVE)) == timedelta(hours=6)
    assert granted_of(Create(dated, None, Reason.NEW, table.NOTHING_ALIVE)) is None


def test_settings_are_those_asked_for_or_recorded() -> None:
    """An annotation has none."""
    note = Keep(annotation("a"), None, noted(annotation("a")), Reason.CURRENT, table.ANNOTATED)
    removed = Retire(live(A), recorded(A), Reason.UNDECLARED, table.UNDECLARED)

    assert settings_of(KEPT_A) == settings_of(removed) == A.settings
    assert settings_of(note) is None
