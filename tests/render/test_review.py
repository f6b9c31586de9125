"""Objections, gaps and outlooks: what a review and a schedule read."""

from __future__ import annotations

from datetime import timedelta

from provisioner.model import Create, Edit, Reason, Ttl
from provisioner.render.forecast import schedule_sentence
from provisioner.render.objections import objection_lines
from provisioner.render.upkeep import gap_line, waiting_lines
from tests.builders import HOUR, desired, recorded

A = desired("a")


def test_objections() -> None:
    """An edit that is not approved is named, and what differs attribute by attribute."""
    before, after = desired("a").after, desired("a", "y", life=Ttl(HOUR)).after
    lines = list(
        objection_lines(
            [("a", before, after), ("new", None, after), ("gone", before, None)], ["publish"]
        )
    )

    assert lines == [
        "  a: is not as it was approved",
        f"    digest: {before.digest[:12]} → {after.digest[:12]}",
        "    ttl: 6h → 1h",
        "  new: is not among the approved edits",
        "  gone: is not among the approved edits",
        "  setting publish: is not among the approved edits",
    ]


def test_gaps() -> None:
    """A cache that cannot be made again is named with what to do."""
    line = gap_line(Create(A, recorded(A), Reason.EXPIRED))

    assert line.startswith("! a: cannot be made again")
    assert A.digest[:12] in line


def test_waiting() -> None:
    """Waiting edits are counted and the first ten named."""
    assert waiting_lines([]) == []
    assert waiting_lines([Edit("b", None), Edit("a", A.after)]) == [
        "2 edits wait for a review and apply: a, b."
    ]
    (many,) = waiting_lines([Edit(f"n{i:02}", None) for i in range(12)])
    assert many.endswith("n09, 2 more.")


def test_schedules() -> None:
    """A schedule fits if its interval is within the window, and the sentence says how well."""
    ttl, window = timedelta(minutes=45), timedelta(minutes=15)

    assert (
        schedule_sentence("a", ttl=ttl, window=window, every=HOUR)
        == "A run every 1h does not keep a warm (ttl 45m): run at least every 15m."
    )
    assert (
        schedule_sentence("a", ttl=12 * HOUR, window=4 * HOUR, every=HOUR / 2)
        == "A run every 30m keeps all caches warm. If runs stop, a expires first, after 4h."
    )
    assert "no schedule" in schedule_sentence(None, ttl=ttl, window=window, every=HOUR)
