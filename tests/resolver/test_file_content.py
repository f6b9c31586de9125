"""
What a file is depends on its name alone, and estimates on its size.

Text is made uniform, in one piece or in many, and content is measured without keeping it.
"""

from __future__ import annotations

import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.cache import Json
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.source_map import Place, YamlDocument
from provisioner.manifest.types import FileSpec, InlineJson
from provisioner.resolver.file_content import (
    PDF,
    look_at,
    look_at_bytes,
    look_at_text,
    media_tokens,
    mime_type_of,
    pages_in,
    read_bytes,
    read_text,
    size_of,
    takes,
    text_tokens,
    tool_config_of,
    tools_of,
    uniform,
)

CHUNK = 1024 * 1024


def complaint(root: Path, content: bytes) -> str:
    (root / "f").write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        look_at_text(Folder(root), "f")
    with pytest.raises(Unreadable) as again:
        read_text(Folder(root), "f")
    assert str(caught.value) == str(again.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\nb\n", "a\nb\n"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb\r", "a\nb\n"),
        (b"a\r\r\nb", "a\n\nb"),
        (b"\xef\xbb\xbfa", "a"),
        ("\ufeffä€😀\r\n".encode(), "ä€😀\n"),
        (b"  a  ", "  a  "),
    ],
)
def test_uniform(tmp_path: Path, raw: bytes, text: str) -> None:
    """Text loses its byte order mark and its line ends become LF; nothing else changes."""
    (tmp_path / "f").write_bytes(raw)

    assert read_text(Folder(tmp_path), "f") == text.encode()
    assert look_at_text(Folder(tmp_path), "f") == look_at(text.encode())


def test_look(tmp_path: Path) -> None:
    """A look at a text gives its digest, its bytes and its characters."""
    (tmp_path / "f").write_bytes("ä\r\n".encode())
    look = look_at_text(Folder(tmp_path), "f")

    assert (look.digest, look.size, look.amount) == (sha256("ä\n".encode()).digest(), 3, 2)


PIECES = st.sampled_from(
    [b"a", b"\r", b"\n", b"\r\n", "ä".encode(), "😀".encode(), "\ufeff".encode()]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=8), st.lists(PIECES, max_size=8), st.integers(0, 12))
def test_chunks(tmp_path: Path, start: list[bytes], seam: list[bytes], offset: int) -> None:
    """A large text is the same whether it is read whole or in pieces, wherever they part."""
    begin = b"x" + b"".join(start)
    filling = b"y" * (CHUNK - len(begin) - offset)
    (tmp_path / "f").write_bytes(begin + filling + b"".join(seam) + b"z" * 20)
    folder = Folder(tmp_path)

    assert look_at_text(folder, "f") == look_at(read_text(folder, "f"))


@pytest.mark.parametrize("size", [1, 2 * CHUNK], ids=["small", "large"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "is not UTF-8 text"),
        (b"a\x00", "is not UTF-8 text"),
        (b"\xe2\x82", "is not UTF-8 text"),
        (b"\xed\xa0\x80", "is not UTF-8 text"),
    ],
)
def test_no_text(tmp_path: Path, size: int, content: bytes, message: str) -> None:
    """What is not UTF-8, or holds a NUL, is no text, wherever in the file."""
    assert complaint(tmp_path, b"a" * size + content) == message


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\t", b" " * 3 * CHUNK])
def test_empty(tmp_path: Path, content: bytes) -> None:
    """A file without a visible character is empty."""
    assert complaint(tmp_path, content) == "is empty"


def test_empty_text() -> None:
    """So is such a text of a manifest."""
    with pytest.raises(Unreadable, match="is empty"):
        uniform(b" \n")


def test_too_large(tmp_path: Path) -> None:
    """A file beyond the limit is refused before it is read."""
    with (tmp_path / "f").open("wb") as file:
        file.truncate(100_000_001)
    message = (
        "has 100.0 MB, more than the 100 MB that can be sent along: "
        "upload it and give its {uri, mime_type}"
    )

    for read in (look_at_text, look_at_bytes, read_text, read_bytes):
        with pytest.raises(Unreadable) as caught:
            read(Folder(tmp_path), "f")
        assert str(caught.value) == message


def test_bytes(tmp_path: Path) -> None:
    """What is not text stays as it is, and is hashed as it is."""
    raw = b"\x00\r\n\xff" * CHUNK
    (tmp_path / "f").write_bytes(raw)
    folder = Folder(tmp_path)

    assert read_bytes(folder, "f") == raw
    look = look_at_bytes(folder, "f")
    assert (look.digest, look.size) == (sha256(raw).digest(), len(raw))


def test_memory(tmp_path: Path) -> None:
    """To look at a large file takes little memory."""
    (tmp_path / "f").write_bytes(b"line\r\n" * 5_000_000)
    folder = Folder(tmp_path)

    tracemalloc.start()
    look_at_text(folder, "f")
    look_at_bytes(folder, "f")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10 * CHUNK


PLACE = Place(YamlDocument("f", {}, {}), ())
FILE = FileSpec("tools.json", None, PLACE)


def folder(root: Path, content: str | bytes) -> Folder:
    raw = content.encode() if isinstance(content, str) else content
    (root / "tools.json").write_bytes(raw)
    return Folder(root)


def test_tools(tmp_path: Path) -> None:
    """A list of tools is the same from a file and from the manifest."""
    tools: Json = [{"functionDeclarations": [{"name": "ä", "rate": 0.5}]}, {"codeExecution": {}}]
    text = '[{"functionDeclarations": [{"name": "ä", "rate": 0.5}]},\r\n {"codeExecution": {}}]'
    files = folder(tmp_path, "\ufeff" + text)

    assert list(tools_of(files, FILE)) == list(tools_of(files, InlineJson(tools, PLACE))) == tools


def test_tool_config(tmp_path: Path) -> None:
    """So is their configuration."""
    files = folder(tmp_path, '{"mode": "ANY"}')

    assert tool_config_of(files, FILE) == tool_config_of(files, InlineJson({"mode": "ANY"}, PLACE))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1,", "is not JSON: line 1, column 4: Expecting value"),
        ('[\n{"a": 1\n"b": 2}]', "is not JSON: line 3, column 1: Expecting ',' delimiter"),
        ('[{"a": 1, "a": 2}]', "is not JSON: the key 'a' is given twice"),
        ("[NaN]", "is not JSON: NaN is no number in JSON"),
        ('[{"a": [-1e999]}]', "is not JSON: the number '-1e999' is too large"),
        ("[" + "9" * 5000 + "]", "is not JSON: Exceeds the limit (4300 digits)"),
        (r'[{"a": "\ud800"}]', "is not JSON: 'utf-8' codec can't encode character"),
        ("{}", "must hold a list of tools, each in the provider's own keys and values"),
        ("[1]", "must hold a list of tools, each in the provider's own keys and values"),
        ("[" * 100_000, "nests deeper than 60 levels"),
        ("[" * 70 + "]" * 70, "nests deeper than 60 levels"),
        (b"\xff", "is not UTF-8 text"),
        ("", "is empty"),
    ],
)
def test_bad_tools(tmp_path: Path, content: str | bytes, message: str) -> None:
    """A file that holds no tools says what is wrong with it."""
    with pytest.raises(Unreadable) as caught:
        tools_of(folder(tmp_path, content), FILE)

    assert str(caught.value).startswith(message)


def test_bad_config(tmp_path: Path) -> None:
    """A configuration is keys and values."""
    with pytest.raises(Unreadable, match="must hold keys and values"):
        tool_config_of(folder(tmp_path, "[]"), FILE)


def test_size() -> None:
    """JSON counts by its characters, and nothing counts as nothing."""
    assert size_of({"ä": 1}, None, {}) == len('{"ä": 1}')


@pytest.mark.parametrize(
    ("path", "mime_type"),
    [
        ("a.pdf", PDF),
        ("a/b.c/d.PDF", PDF),
        ("a.jpeg", "image/jpeg"),
        ("a.mp3", "audio/mp3"),
        ("a.mp4", "video/mp4"),
        ("a.md", None),
        ("a.py", None),
        ("README", None),
        ("a.unheard-of", None),
    ],
)
def test_types(path: str, mime_type: str | None) -> None:
    """The table knows what is not text; everything else has to be text."""
    assert mime_type_of(path) == mime_type


def test_providers() -> None:
    """Claude hears nothing, openai watches nothing, and gemini decides by itself."""
    assert [takes(whose, "audio/mp3") for whose in ("gemini", "claude", "openai")] == [
        True,
        False,
        True,
    ]
    assert not takes("openai", "video/mp4")
    assert takes("claude", PDF)


def test_estimates() -> None:
    """Tokens are estimated by characters, pictures, pages and seconds."""
    assert text_tokens(0) == 0
    assert text_tokens(5) == 2
    assert media_tokens("image/png", 10_000_000, 0) == 258
    assert media_tokens(PDF, 10_000_000, 3) == 3 * 258
    assert media_tokens(PDF, 10_000_000, 0) == 200 * 258
    assert media_tokens("audio/mp3", 16_000 * 60, 0) == 60 * 32
    assert media_tokens("audio/wav", 176_400 * 60, 0) == 60 * 32
    assert media_tokens("video/mp4", 250_000 * 60, 0) == 60 * 300
    assert media_tokens("application/json", 400, 0) == 100


def test_pages() -> None:
    """A page of a PDF is counted, the tree of pages is not."""
    assert pages_in(b"<</Type /Pages /Kids []>> <</Type/Page /x 1>> <</Type /Page>>") == 2
