"""An explanation has three sides, and measures thresholds by the life that was granted."""

from __future__ import annotations

from datetime import timedelta

from provisioner.model.attributes import Until
from provisioner.model.changes import Create, Forget, Keep, Leave, Reason, Refresh, Retire
from provisioner.planner import decision_table as table
from provisioner.view.explanation import granted_of, settings_of, tenses
from tests.builders import HOUR, NOW, annotation, desired, live, noted, recorded, retiring

A = desired("a")
KEEP = Keep(A, live(A), recorded(A), Reason.CURRENT, table.UNCHANGED)


def test_each_side_has_what_it_knows() -> None:
    """The label and the last update stand on the side that has them, and nothing is guessed."""
    want, record, alive = tenses(KEEP)

    assert want is not None
    assert record is not None
    assert alive is not None
    assert (want.label, record.label, alive.label) == (A.label.identity, None, A.label.identity)
    assert (want.updated_at, record.updated_at, alive.updated_at) == (None, NOW, NOW)
    assert (want.expires_at, alive.digest, alive.settings) == (None, None, None)
    assert want.digest == record.digest == A.digest


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
    assert record.expires_at == (cache.expires_at or cache.until)


def test_thresholds_are_measured_by_the_granted_life() -> None:
    """That is the live cache's, or the ttl that is asked for; an expires_at has none."""
    dated = desired("a", life=Until(NOW + HOUR))

    assert granted_of(KEEP) == 6 * HOUR
    assert granted_of(Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE)) == 6 * HOUR
    assert granted_of(Create(A, None, Reason.NEW, table.NOTHING_ALIVE)) == timedelta(hours=6)
    assert granted_of(Create(dated, None, Reason.NEW, table.NOTHING_ALIVE)) is None


def test_settings_are_those_asked_for_or_recorded() -> None:
    """An annotation has none."""
    note = Keep(annotation("a"), None, noted(annotation("a")), Reason.CURRENT, table.ANNOTATED)
    removed = Retire(live(A), recorded(A), Reason.UNDECLARED, table.UNDECLARED)

    assert settings_of(KEEP) == settings_of(removed) == A.settings
    assert settings_of(note) is None
