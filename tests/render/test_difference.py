"""Attribute by attribute, as the manifest spells them."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.attributes import Measure, Settings, Ttl, Until
from provisioner.model.changes import Create, Reason, Refresh, Replace
from provisioner.planner import decision_table as table
from provisioner.render.difference import (
    Difference,
    Patch,
    differences,
    objection_lines,
    patch_text,
    patches,
)
from provisioner.view.plan import RowView
from provisioner.view.snapshot import after_view
from tests.builders import HOUR, NOW, desired, live, recorded
from tests.render.fixtures import plan_of, rows

A = desired("a", measure=Measure(paths=("one.md", "two.md")))


def row_of(want: object) -> RowView:
    assert isinstance(want, type(A))
    return rows(plan_of(Replace(want, live(A), recorded(A), Reason.CONTENT, table.OUTDATED)))[0]


def test_only_what_differs_is_shown() -> None:
    """Equal attributes are not mentioned; digests are shortened; paths are listed one by one."""
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
    differing = {one.where: (one.before, one.after) for one in differences(row.before, row.after)}

    assert differing == {
        "expires_at": (None, "2026-01-01T13:00:00Z"),
        "protect": ("false", "true"),
        "refresh_before": ("1h", "1/3"),
        "lives until": ("2026-01-01T18:00:00Z", "2026-01-01T13:00:00Z"),
        "ttl": ("6h", None),
    }


def test_no_pending_change_is_without_a_difference() -> None:
    """Even a refresh, whose wish did not change, has one: how long it lives."""
    row = rows(plan_of(Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE)))[0]
    assert row.after is not None

    assert [one.where for one in differences(row.before, row.after)] == ["lives until"]


def test_what_is_new_is_new_in_everything() -> None:
    """Of a new cache every attribute is listed."""
    row = rows(plan_of(Create(A, None, Reason.NEW, table.NOTHING_ALIVE)))[0]
    assert row.after is not None
    differing = differences(row.before, row.after)

    assert Difference("ttl", None, "6h") in differing
    assert Difference("paths", None, "one.md, two.md") in differing
    assert all(one.before is None for one in differing)


def test_pieces_are_named() -> None:
    """Which file or which leaf of a tool changed is named."""
    old = desired("a", measure=Measure(pieces={"a.md": "0" * 12, "tools[0].name": "1" * 12}))
    new = desired("a", "y", measure=Measure(pieces={"a.md": "2" * 12, "tools[0].name": "1" * 12}))
    row = rows(plan_of(Replace(new, live(old), recorded(old), Reason.CONTENT, table.OUTDATED)))[0]
    assert row.after is not None
    differing = {one.where for one in differences(row.before, row.after)}

    assert "a.md" in differing
    assert "tools[0].name" not in differing


def test_deepdiff_is_for_those_who_ask() -> None:
    """Rendering does not import deepdiff, which costs a tenth of a second, before it must."""
    check = "import sys, provisioner.render.plan_table; sys.exit('deepdiff' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


FILES = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=6), max_size=6)
TEXT = b"".join(b"Line %d.\n" % number for number in range(20))


def texts(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return [patch_text(one, colour=False) for one in patches(before, after)]


def test_an_edit() -> None:
    """Only the file that changed has a patch."""
    assert texts({"a": b"x\n", "b": b"y\n"}, {"a": b"x\n", "b": b"z\n"}) == [
        "--- b\n+++ b\n@@ -1 +1 @@\n-y\n+z\n"
    ]


def test_a_rename() -> None:
    """A file under another name is one line, not all of it twice."""
    assert texts({"old.md": TEXT}, {"new.md": TEXT}) == ["renamed: old.md → new.md\n"]


def test_a_rename_with_an_edit() -> None:
    """A file that was renamed and edited is shown by its edit alone."""
    (text,) = texts({"old.md": TEXT}, {"new.md": TEXT + b"More.\n"})

    assert text.startswith("renamed: old.md → new.md\n--- old.md\n+++ new.md\n@@")
    assert text.endswith("\n Line 18.\n Line 19.\n+More.\n")


def test_another_file_is_no_rename() -> None:
    """Files that share little are one that is gone and one that is new."""
    assert texts({"old.md": b"x\n"}, {"new.md": b"y\n"}) == [
        "--- old.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
        "--- /dev/null\n+++ new.md\n@@ -0,0 +1 @@\n+y\n",
    ]


def test_what_is_not_text() -> None:
    """Bytes are counted, not shown."""
    assert texts({"a": b"\xff"}, {"a": b"\xfe\xff"}) == ["a: 1 → 2 bytes, not text\n"]


def test_many_files_are_not_compared_with_each_other() -> None:
    """A thousand renamed files are found by their content; likeness is not tried on a million."""
    before = {f"old/{number}": b"%d\n" % number for number in range(1_000)}
    after = {f"new/{number}": b"%d\n" % number for number in range(1_000)}

    assert len(list(patches(before, after))) == 1_000


def test_a_long_patch_is_cut() -> None:
    """A huge difference is cut, and says by how much."""
    (text,) = texts({"a": b""}, {"a": b"".join(b"%d\n" % number for number in range(1_000))})

    assert text.endswith("… and 603 more lines.\n")


@given(before=st.binary(max_size=60), after=st.binary(max_size=60), name=st.text(max_size=12))
def test_patches_are_harmless(before: bytes, after: bytes, name: str) -> None:
    """No control character of a file or of its name reaches the terminal."""
    for old, new in ((name, name), (name, None), (None, name), ("old", name)):
        text = patch_text(Patch(old, new, before, after), colour=False)
        assert all(char.isprintable() or char == "\n" for char in text)


@given(FILES, FILES)
def test_patches_tell_all(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Applied to what was before, the patches give what is after, and none changes nothing."""
    differing = list(patches(before, after))
    done = dict(before)
    for one in differing:
        done.pop(one.old or "", None)
    done |= {one.new: one.after for one in differing if one.new}

    assert done == after
    assert all(one.old != one.new or one.before != one.after for one in differing)


def test_content_is_not_in_a_repr() -> None:
    """A patch in a traceback or a log shows paths alone."""
    assert repr(Patch("a", "b", b"secret", b"secret")) == "Patch(old='a', new='b')"


def test_one_line_of_any_length() -> None:
    """Of a line that never ends a beginning is shown."""
    line = "漢" * 1_000_000
    text = patch_text(Patch("a", "a", f"{line}a".encode(), f"{line}b".encode()), colour=False)
    assert len(text) < 5_000
    assert text.count("…") == 2


def test_more_lines_than_can_be_compared() -> None:
    """Of files with very many lines only the numbers are shown."""
    patch = Patch("a", "a", b"a\n" * 20_000, b"b\n" * 20_001)
    assert patch_text(patch, colour=False) == "a: 20,000 → 20,001 lines, too many to compare\n"


def test_objections() -> None:
    """An edit that is not approved is named, and what differs attribute by attribute."""
    before, after = (
        after_view(want.after) for want in (desired("a"), desired("a", "y", life=Ttl(HOUR)))
    )
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
