"""Before is what is there, after is what is asked for; neither holds content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.attributes import After, Measure, Until
from provisioner.model.changes import Adopt, Create, Keep, Leave, Reason, Refresh, Replace, Retire
from provisioner.planner import decision_table as table
from provisioner.view.snapshot import after, after_view, before
from tests.builders import HOUR, NOW, annotation, desired, live, noted, recorded, retiring
from tests.render.fixtures import AT, PLAN
from tests.state import strategies

A = desired("a", measure=Measure(size=812, tokens=200))
EDITED = desired("a", "y", measure=Measure(size=830, tokens=210))
COUNTED = recorded(A, measure=Measure(size=812, tokens=187, counted=True))


def test_live_counts_win() -> None:
    """Tokens are the provider's count where a cache lives, and an estimate where none does."""
    change = Replace(EDITED, live(A, tokens=187), recorded(A), Reason.CONTENT, table.OUTDATED)
    old, new = before(change), after(change, AT)

    assert old is not None
    assert new is not None
    assert (old.tokens_text, new.tokens_text) == ("187", "~210")
    assert (old.size, new.size) == (812, 830)


def test_a_count_of_the_same_content_is_remembered() -> None:
    """What was counted before it expired need not be estimated again."""
    again = after(Create(A, COUNTED, Reason.EXPIRED, table.NOTHING_ALIVE), AT)
    other = after(Create(EDITED, COUNTED, Reason.CONTENT, table.NOTHING_ALIVE), AT)

    assert again is not None
    assert other is not None
    assert (again.tokens_text, other.tokens_text) == ("187", "~210")


def test_an_annotation_is_always_estimated() -> None:
    """An annotation's tokens are an estimate: it is never sent anywhere."""
    change = Keep(annotation("a"), None, noted(annotation("a")), Reason.CURRENT, table.ANNOTATED)
    old, new = before(change), after(change, AT)

    assert old is not None
    assert new is not None
    assert old.tokens_text == new.tokens_text == "~1"
    assert new.expires_at is None


def test_a_new_life_begins_at_the_plan() -> None:
    """What a refresh gives is expected from the plan's moment; what is kept stays."""
    refreshed = after(Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE), AT)
    kept = after(Keep(A, live(A), recorded(A), Reason.CURRENT, table.UNCHANGED), AT)

    assert refreshed is not None
    assert kept is not None
    assert (refreshed.expires_at, kept.expires_at) == (AT + 6 * HOUR, NOW + 6 * HOUR)


def test_what_is_not_known_is_none() -> None:
    """The content of a hand-made cache and of a retiring one is unknown."""
    by_hand = before(Adopt(A, live(A, label=None), None, None, Reason.IMPORTED, table.TWIN))
    dying = before(Leave(live(A), retiring(A), Reason.RETIRING, table.RETIRING))

    for side in (by_hand, dying):
        assert side is not None
        assert (side.digest, side.size, side.life) == (None, None, None)


def test_removal_asks_for_nothing() -> None:
    """What is not declared has no after."""
    assert after(Retire(live(A), recorded(A), Reason.UNDECLARED, table.UNDECLARED), AT) is None


def test_every_change_is_about_something() -> None:
    """No change of a plan is without a before and an after at once."""
    assert all(before(change) or after(change, AT) for change in PLAN.changes)


@given(
    st.builds(
        After,
        life=strategies.ttls | strategies.moments.map(Until),
        settings=st.none() | strategies.settings,
    )
)
def test_afters_read_back(asked: After) -> None:
    """What an entry asks for is read from its view as it was written."""
    assert after_view(asked).after == asked
