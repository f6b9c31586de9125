"""Parts are counted and read alike, each as the kind that it is."""

from __future__ import annotations

from hashlib import sha256
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
from provisioner.manifest.source_map import YamlDocument
from provisioner.resolver.digest import part_mark
from provisioner.resolver.parts import count_part, count_text, is_of_files_api, read_part

PLACE = Place(YamlDocument("f", {}, {}), ())
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
        (file("a.weird", "image/svg+xml"), InlinePart("image/svg+xml", "ä\n".encode())),
        (file("noext", "application/sql"), InlinePart("application/sql", "ä\n".encode())),
        (file("blob", "application/xml"), InlinePart("application/xml", b"\x89\r\n\x00")),
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
    elsewhere = count_part(folder, UriSpec("gs://a", "video/mp4", PLACE), "gemini")
    assert (elsewhere.size, elsewhere.tokens) == (None, None)


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
    """An uploaded file is recognised by its address."""
    assert is_of_files_api(FILES)
    assert not is_of_files_api("https://generativelanguage.googleapis.com.example.org/files/abc")
    assert not is_of_files_api("gs://a/files/b")


TEXTS = (
    "text/csv",
    "application/json",
    "APPLICATION/JSON; charset=utf-8",
    "application/ld+json",
    "application/xml",
    "application/atom+xml",
    "image/svg+xml",
    "application/javascript",
    "application/yaml",
    "application/openapi+yaml",
    "application/toml",
    "application/sql",
    "application/x-sh",
    "application/x-ndjson",
)
LF = '<svg a="ä">\n</svg>\n'.encode()
OF_BEFORE = {
    "application/json": "ccec4056b89a167c",
    "image/svg+xml": "e05fa2f4fe213da5",
    "text/csv": "a19b5de923910c00",
}
"""Marks of LF, hashed, as they were before other text than `text/*` was made uniform."""


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
@pytest.mark.parametrize("mime_type", TEXTS)
def test_checkouts_are_alike(tmp_path: Path, mime_type: str, size: int) -> None:
    """Text of any type is the same content with other line ends or a byte order mark."""
    folder, content = Folder(tmp_path), LF * size
    spellings = (
        content,
        content.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + content,
        b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"),
    )
    for name, raw in enumerate(spellings):
        (tmp_path / str(name)).write_bytes(raw)
        spec = file(str(name), mime_type)
        assert read_part(folder, spec) == InlinePart(mime_type, content)
        assert count_part(folder, spec, "gemini").mark == part_mark(InlinePart(mime_type, content))


@pytest.mark.parametrize(("mime_type", "before"), OF_BEFORE.items())
def test_marks_of_before(tmp_path: Path, mime_type: str, before: str) -> None:
    """A file with LF and without a byte order mark counts by what it always counted by."""
    (tmp_path / "a").write_bytes(LF)
    mark = count_part(Folder(tmp_path), file("a", mime_type), "gemini").mark
    assert sha256(mark).hexdigest()[:16] == before


@pytest.mark.parametrize("mime_type", ["application/pdf", "image/png", "application/zip"])
def test_bytes_are_bytes(tmp_path: Path, mime_type: str) -> None:
    """What is no text keeps every byte, also those of line ends."""
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\r\n")
    part = read_part(Folder(tmp_path), file("a", mime_type))
    assert part == InlinePart(mime_type, b"\xef\xbb\xbfa\r\n")


@pytest.mark.parametrize("size", [1, 200_000], ids=["small", "large"])
def test_utf16(tmp_path: Path, size: int) -> None:
    """UTF-16 text is named with what to do; XML that declares it is sent as it is."""
    raw = ("<a/>\r\n" * size).encode("utf-16")
    (tmp_path / "a").write_bytes(raw)
    for mime_type in (None, "text/xml"):
        with pytest.raises(Unreadable, match="is UTF-16 text: save it as UTF-8"):
            count_part(Folder(tmp_path), file("a", mime_type), "gemini")
    declared = file("a", "application/xml")
    assert read_part(Folder(tmp_path), declared) == InlinePart("application/xml", raw)
    assert count_part(Folder(tmp_path), declared, "gemini").mark == part_mark(
        InlinePart("application/xml", raw)
    )
