"""Parts are counted and read alike, each as the kind that it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cache import InlinePart, Part, TextPart, UriPart
from provisioner.manifest import (
    FileSpec,
    Folder,
    PartSpec,
    Place,
    TextSpec,
    Unreadable,
    UriSpec,
)
from provisioner.manifest.document import Document
from provisioner.resolver.digest import part_mark
from provisioner.resolver.parts import count_part, count_text, is_of_files_api, read_part

PLACE = Place(Document("f", {}, {}), ())
FILES = "https://generativelanguage.googleapis.com/v1beta/files/abc"


def file(path: str, mime_type: str | None = None) -> FileSpec:
    return FileSpec(path, mime_type, PLACE)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Files of every kind."""
    for name in ("a.md", "noext", "a.weird", "a.html"):
        (tmp_path / name).write_bytes("\ufeffä\r\n".encode())
    for name in ("a.png", "a.PDF", "blob", "blob.weird"):
        (tmp_path / name).write_bytes(b"\x89\r\n\x00")
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        (file("a.md"), TextPart("ä\n")),
        (file("noext"), TextPart("ä\n")),
        (file("a.weird"), TextPart("ä\n")),
        (file("a.html", "text/html"), InlinePart("text/html", "ä\n".encode())),
        (file("a.png"), InlinePart("image/png", b"\x89\r\n\x00")),
        (file("a.PDF"), InlinePart("application/pdf", b"\x89\r\n\x00")),
        (file("a.png", "image/x-own"), InlinePart("image/x-own", b"\x89\r\n\x00")),
        (file("blob", "audio/ogg"), InlinePart("audio/ogg", b"\x89\r\n\x00")),
        (TextSpec("\ufeffä\r\n", PLACE), TextPart("ä\n")),
        (UriSpec("gs://a/b", "video/mp4", PLACE), UriPart("video/mp4", "gs://a/b")),
    ],
)
def test_parts(folder: Folder, spec: PartSpec, part: Part) -> None:
    """What is read for sending counts as what was counted."""
    assert read_part(folder, spec) == part
    assert count_part(folder, spec, "gemini").mark == part_mark(part)


def test_counts(folder: Folder) -> None:
    """A part counts by the bytes that are sent; what lies elsewhere cannot be counted."""
    assert count_part(folder, file("a.md"), "gemini").size == 3
    assert count_part(folder, file("a.png"), "gemini").tokens == 258
    assert count_part(folder, UriSpec("gs://a", "video/mp4", PLACE), "gemini").tokens == 0


@pytest.mark.parametrize(
    ("spec", "provider", "message"),
    [
        (
            file("blob.weird"),
            "gemini",
            "is not UTF-8 text; if it is something else, write {file: PATH, mime_type: TYPE}",
        ),
        (file("blob", "text/plain"), "gemini", "is not UTF-8 text"),
        (file("none.md"), "gemini", "does not exist"),
        (file("none.mp3"), "claude", "is audio/mp3, which claude does not read"),
        (file("a.png", "video/mp4"), "openai", "is video/mp4, which openai does not read"),
        (TextSpec("  ", PLACE), "gemini", "is empty"),
        (
            UriSpec("gs://a", "image/png", PLACE),
            "claude",
            "is an address that claude cannot read; only gemini can",
        ),
        (
            UriSpec(FILES, "image/png", PLACE),
            "openai",
            "is an address that openai cannot read; only gemini can",
        ),
    ],
)
def test_unreadable(folder: Folder, spec: PartSpec, provider: str, message: str) -> None:
    """What cannot be sent is refused with the reason."""
    with pytest.raises(Unreadable) as caught:
        count_part(folder, spec, provider)

    assert str(caught.value) == message


def test_large_pdf(tmp_path: Path) -> None:
    """A PDF has a limit of its own."""
    for name in ("a.pdf", "a.mp4"):
        with (tmp_path / name).open("wb") as content:
            content.truncate(50_000_001)

    assert count_part(Folder(tmp_path), file("a.mp4"), "gemini").size == 50_000_001
    with pytest.raises(Unreadable, match="more than the 50 MB that can be sent along"):
        count_part(Folder(tmp_path), file("a.pdf"), "gemini")


def test_instruction(folder: Folder) -> None:
    """A system instruction is text, and nothing else will do."""
    assert count_text(folder, file("a.md")).mark == part_mark(TextPart("ä\n"))
    with pytest.raises(Unreadable, match="is not UTF-8 text, to judge by its name"):
        count_text(folder, file("a.png"))


def test_files_api() -> None:
    """An uploaded file is told from other addresses."""
    assert is_of_files_api(FILES)
    assert not is_of_files_api("https://generativelanguage.googleapis.com.example.org/files/abc")
    assert not is_of_files_api("gs://a/files/b")
