"""What changed inside files is shown once, and what did not is not shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.patch import Patch, patch_text, patches

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
    found = list(patches(before, after))
    done = dict(before)
    for one in found:
        done.pop(one.old or "", None)
    done |= {one.new: one.after for one in found if one.new}

    assert done == after
    assert all(one.old != one.new or one.before != one.after for one in found)


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
