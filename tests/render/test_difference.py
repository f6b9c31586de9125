"""Attribute by attribute, as the manifest spells them."""

from __future__ import annotations

import subprocess
import sys

from provisioner.model import Create, Measure, Reason, Refresh, Replace, Settings, Until
from provisioner.render.difference import Difference, differences
from provisioner.view.row import Row, rows
from tests.builders import HOUR, NOW, desired, live, recorded
from tests.render.fixtures import plan_of

A = desired("a", measure=Measure(paths=("one.md", "two.md")))


def row_of(want: object) -> Row:
    assert isinstance(want, type(A))
    return rows(plan_of(Replace(want, live(A), recorded(A), Reason.CONTENT)))[0]


def test_only_what_differs_is_told() -> None:
    """Equal attributes are not mentioned; digests are shortened; paths are told one by one."""
    want = desired("a", "y", measure=Measure(paths=("one.md", "new.md", "two.md")))
    row = row_of(want)
    assert row.after is not None

    assert differences(row.before, row.after) == (
        Difference("digest", A.digest[:12], want.digest[:12]),
        Difference("paths[1]", None, "new.md"),
        Difference("lives until", "2026-01-01T18:00:00Z", "2026-01-01T23:10:00Z"),
    )


def test_settings_and_life_are_spelled_as_in_a_manifest() -> None:
    """A life that becomes another kind goes and comes; booleans are true and false."""
    row = row_of(
        desired("a", life=Until(NOW + HOUR), settings=Settings(protect=True), measure=A.measure)
    )
    assert row.after is not None
    told = {one.where: (one.before, one.after) for one in differences(row.before, row.after)}

    assert told == {
        "expires_at": (None, "2026-01-01T13:00:00Z"),
        "protect": ("false", "true"),
        "refresh_before": ("1h", "1/3"),
        "lives until": ("2026-01-01T18:00:00Z", "2026-01-01T13:00:00Z"),
        "ttl": ("6h", None),
    }


def test_no_pending_change_is_without_a_difference() -> None:
    """Even a refresh, whose wish did not change, has one: how long it lives."""
    row = rows(plan_of(Refresh(A, live(A), recorded(A), Reason.EXPIRING)))[0]
    assert row.after is not None

    assert [one.where for one in differences(row.before, row.after)] == ["lives until"]


def test_what_is_new_is_new_in_everything() -> None:
    """Of a new cache every attribute is told."""
    row = rows(plan_of(Create(A, None, Reason.NEW)))[0]
    assert row.after is not None
    told = differences(row.before, row.after)

    assert Difference("ttl", None, "6h") in told
    assert Difference("paths", None, "one.md, two.md") in told
    assert all(one.before is None for one in told)


def test_pieces_are_named() -> None:
    """Which file or which leaf of a tool changed is told by its name."""
    old = desired("a", measure=Measure(pieces={"a.md": "0" * 12, "tools[0].name": "1" * 12}))
    new = desired("a", "y", measure=Measure(pieces={"a.md": "2" * 12, "tools[0].name": "1" * 12}))
    row = rows(plan_of(Replace(new, live(old), recorded(old), Reason.CONTENT)))[0]
    assert row.after is not None
    told = {one.where for one in differences(row.before, row.after)}

    assert "a.md" in told
    assert "tools[0].name" not in told


def test_deepdiff_is_for_those_who_ask() -> None:
    """Rendering does not import deepdiff, which costs a tenth of a second, before it must."""
    check = "import sys, provisioner.render.text; sys.exit('deepdiff' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
