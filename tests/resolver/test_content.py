"""What was counted is what is read, or it is said to have changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from provisioner.cache import CacheContent, InlinePart, Part, TextPart, UriPart
from provisioner.errors import ContentChanged
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.source_map import Place, YamlDocument
from provisioner.manifest.types import FileSpec, Manifest, PartSpec, TextSpec, UriSpec
from provisioner.model.attributes import UNKNOWN, Measure
from provisioner.model.records import DesiredCache
from provisioner.resolver import load_and_resolve
from provisioner.resolver.content import (
    content_reader,
    count_part,
    count_text,
    is_of_files_api,
    read_content,
    read_part,
)
from provisioner.resolver.digest import part_mark
from tests.builders import NOW
from tests.stacks import CATALOG, FLASH, complaints, resolved, stack

FULL = (
    f"full: {{{FLASH}, revision: 2, system_instruction: s.md, tools: tools.json, "
    "tool_config: {mode: ANY}, content: [a.md, b.pdf, {text: c}, {uri: 'gs://d', "
    "mime_type: text/csv}]}"
)
HERE = FULL.replace(", {uri: 'gs://d', mime_type: text/csv}", "")
FILES: dict[str, str | bytes] = {
    "s.md": "be kind\r\n",
    "a.md": "a\r\n",
    "b.pdf": b"%PDF /Type /Page\r\n\xff",
    "tools.json": '[{"codeExecution": {}}]',
}


def planned(root: Path) -> tuple[Manifest, DesiredCache]:
    manifest, resolution = load_and_resolve(stack(root, FULL, files=FILES), CATALOG, now=NOW)
    (want,) = resolution.desired
    assert isinstance(want, DesiredCache)
    return manifest, want


def test_whole(tmp_path: Path) -> None:
    """Content is read as it was counted: parts, instruction, tools and their configuration."""
    manifest, want = planned(tmp_path)

    assert read_content(manifest, want) == CacheContent(
        parts=(
            TextPart("a\n"),
            InlinePart("application/pdf", b"%PDF /Type /Page\r\n\xff"),
            TextPart("c"),
            UriPart("text/csv", "gs://d"),
        ),
        system_instruction="be kind\n",
        tools=({"codeExecution": {}},),
        tool_config={"mode": "ANY"},
    )


def test_equal_content_of_two_entries(tmp_path: Path) -> None:
    """An entry is read from its own files, also if another one with equal content has changed."""
    entries = [f"{name}: {{{FLASH}, content: {name}.md}}" for name in ("one", "two")]
    root = stack(tmp_path, *entries, files={"one.md": "same", "two.md": "same"})
    manifest, resolution = load_and_resolve(root, CATALOG, now=NOW)
    read = content_reader(manifest, resolution.desired)
    one, two = resolution.desired
    (tmp_path / "two.md").write_text("edited")

    assert read(one).parts == (TextPart("same"),)
    with pytest.raises(ContentChanged, match=r"two\.md' changed"):
        read(two)


def test_measure(tmp_path: Path) -> None:
    """A measure tells paths, bytes and tokens, and shows neither content nor addresses."""
    (want,) = resolved(tmp_path, HERE, files=FILES).desired

    assert replace(want.measure, pieces={}) == Measure(
        paths=("a.md", "b.pdf", "s.md", "tools.json"),
        size=len("a\n") + len(b"%PDF /Type /Page\r\n\xff") + len("c") + len("be kind\n"),
        tokens=1 + 258 + 1 + 2 + 9,
        pieces={},
    )


def test_an_unknown_part(tmp_path: Path) -> None:
    """A part that lies elsewhere absorbs the size and the tokens of the whole entry."""
    _, want = planned(tmp_path)

    assert (want.measure.size, want.measure.tokens) == (UNKNOWN, UNKNOWN)


def test_pieces(tmp_path: Path) -> None:
    """Every piece has a digest of its own under the name it goes by, tools leaf by leaf."""
    _, want = planned(tmp_path)

    assert set(want.measure.pieces) == {
        "a.md",
        "b.pdf",
        "content[2]",
        "content[3]",
        "system_instruction",
        "tools[0].codeExecution",
        "tool_config.mode",
    }


def test_one_leaf_of_a_tool(tmp_path: Path) -> None:
    """An edit deep in the tools changes the piece of that leaf and no other."""
    tools = '[{"functionDeclarations": [{"name": "f", "description": "%s"}]}]'
    before, after = (
        resolved(
            tmp_path / word,
            f"a: {{{FLASH}, tools: t.json, content: a.md}}",
            files={"t.json": tools % word, "a.md": "a"},
        ).desired[0]
        for word in ("one", "two")
    )
    changed = {
        where
        for where, digits in after.measure.pieces.items()
        if before.measure.pieces[where] != digits
    }

    assert changed == {"tools[0].functionDeclarations[0].description"}


@pytest.mark.parametrize("path", sorted(FILES))
def test_changed(tmp_path: Path, path: str) -> None:
    """A file that changed after the plan is not sent, and the error names it."""
    manifest, want = planned(tmp_path)
    file = tmp_path / path
    file.write_bytes(file.read_bytes().replace(b"d", b"e").replace(b"a", b"e") + b"\n ")
    file.write_bytes(file.read_bytes().replace(b'"cod', b'"kod').replace(b'"eoe', b'"koe'))

    with pytest.raises(ContentChanged, match=f"'{path}'.* changed after full was planned"):
        read_content(manifest, want)


@pytest.mark.parametrize("path", sorted(FILES))
def test_gone(tmp_path: Path, path: str) -> None:
    """A file that is gone is named."""
    manifest, want = planned(tmp_path)
    (tmp_path / path).unlink()

    with pytest.raises(ContentChanged, match=f"^'{path}' does not exist: plan again$"):
        read_content(manifest, want)


def test_line_ends(tmp_path: Path) -> None:
    """Other line ends and a byte order mark are no change."""
    manifest, want = planned(tmp_path)
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbfa\n")
    (tmp_path / "s.md").write_bytes(b"be kind\r")
    (tmp_path / "tools.json").write_bytes(b'[ {"codeExecution":\r\n{}} ]\n')

    assert read_content(manifest, want).parts[0] == TextPart("a\n")


def test_other_digest(tmp_path: Path) -> None:
    """What was planned with another model or digest is not read for it."""
    manifest, want = planned(tmp_path)

    with pytest.raises(ContentChanged):
        read_content(manifest, replace(want, digest="0" * 64))
    with pytest.raises(ContentChanged):
        read_content(manifest, replace(want, model="other"))


def digests(root: Path, *caches: str, files: dict[str, str | bytes] | None = None) -> list[str]:
    return [want.digest for want in resolved(root, *caches, files=files).desired]


def test_spellings(tmp_path: Path) -> None:
    """However content is spelled, the same content has the same digest."""
    given = digests(
        tmp_path,
        f"a: {{{FLASH}, content: text.md}}",
        f"b: {{{FLASH}, content: [./text.md]}}",
        f"c: {{{FLASH}, content: [{{file: other/../copy.txt}}]}}",
        f"d: {{{FLASH}, content: [{{text: 'a text'}}]}}",
        f"e: {{content: text.md, {FLASH}, protect: true, retire_after: 2h, tools: []}}",
        files={"text.md": "a text", "copy.txt": "\ufeffa text", "other/x": "x"},
    )

    assert len(set(given)) == 1


def test_tools_spelled(tmp_path: Path) -> None:
    """Tools have the same digest inline and in a file, in any order of keys."""
    given = digests(
        tmp_path,
        f"a: {{{FLASH}, content: [{{text: x}}], tools: t.json}}",
        f"b: {{{FLASH}, content: [{{text: x}}], tools: [{{b: [0.5, 2], a: {{d: null, c: x}}}}]}}",
        files={"t.json": '[{"a": {"c": "x", "d": null}, "b": [0.5, 2.0]}]'},
    )

    assert given[0] == given[1]


def test_what_differs(tmp_path: Path) -> None:
    """Order, model, revision, provider, instruction and types make another digest."""
    files: dict[str, str | bytes] = {"a.md": "a", "b.md": "b"}
    given = digests(
        tmp_path,
        f"a: {{{FLASH}, content: [a.md, b.md]}}",
        f"b: {{{FLASH}, content: [b.md, a.md]}}",
        f"c: {{{FLASH}, content: [a.md, b.md], revision: 1}}",
        "d: {provider: gemini, model: gemini-2.5-pro, ttl: 1h, content: [a.md, b.md]}",
        "e: {provider: claude, model: claude-opus-5, content: [a.md, b.md]}",
        f"f: {{{FLASH}, content: b.md, system_instruction: a.md}}",
        f"g: {{{FLASH}, content: [a.md, {{file: b.md, mime_type: text/plain}}]}}",
        files=files,
    )

    assert len(set(given)) == len(given)


def test_read_once(tmp_path: Path) -> None:
    """A file that many entries share is read once."""
    (tmp_path / "s.md").write_text("be kind")
    (tmp_path / "a.md").write_text("a")
    caches = [f"c{i}: {{{FLASH}, content: a.md, system_instruction: s.md}}" for i in range(100)]
    read = reads_of("a.md", lambda: resolved(tmp_path, *caches))

    assert len(read) == 1


def reads_of(name: str, run: Callable[[], object]) -> list[str]:
    """The times that a file called *name* is opened while *run* runs."""
    seen: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            path = arguments[0]
            opened = os.fsdecode(path) if isinstance(path, str | bytes) else ""
            seen.extend([name] if opened.endswith(f"/{name}") else [])

    sys.addaudithook(watch)
    run()
    watching = False
    return list(seen)


def test_shared_file(tmp_path: Path) -> None:
    """A wrong file is complained of at every place that names it."""
    stack(tmp_path, f"a: {{{FLASH}, content: x.md}}", f"b: {{{FLASH}, content: x.md}}")

    assert complaints(tmp_path, content=True) == [
        "ctxprov.yaml:4:60: caches.a.content: 'x.md' does not exist",
        "ctxprov.yaml:5:60: caches.b.content: 'x.md' does not exist",
    ]


def test_together_too_large(tmp_path: Path) -> None:
    """Files that each fit but together do not are refused."""
    stack(tmp_path, f"a: {{{FLASH}, content: [a.mp4, b.mp4]}}")
    for name in ("a.mp4", "b.mp4"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(60_000_000)

    assert complaints(tmp_path, content=True) == [
        (
            "ctxprov.yaml:4:60: caches.a.content: has 120.0 MB, more than the 100 MB that can be "
            "sent along: upload it and give its {uri, mime_type}"
        )
    ]


def _folder(root: Path) -> None:
    (root / "x.md").mkdir()


def _outside(root: Path) -> None:
    (root.parent / "secret").write_text("secret")
    (root / "x.md").symlink_to("../secret")


def _empty(root: Path) -> None:
    (root / "x.md").touch()


def _binary(root: Path) -> None:
    (root / "x.md").write_bytes(b"\xff")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "does not exist"),
        (_folder, "is a folder: name a file"),
        (_outside, "lies outside of the manifest's folder"),
        (_empty, "is empty"),
        (
            _binary,
            "is not UTF-8 text; if it is something else, write {file: PATH, mime_type: TYPE}",
        ),
    ],
)
def test_bad_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    """A file that cannot be sent is a problem at the place of its path."""
    root = tmp_path / "stack"
    root.mkdir()
    make(root)
    stack(root, f"a: {{{FLASH}, content: [{{text: x}}, x.md]}}")

    assert complaints(root, content=True) == [
        f"ctxprov.yaml:4:81: caches.a.content[1]: 'x.md' {message}"
    ]


PLACE = Place(YamlDocument("f", {}, {}), ())
UPLOADED = "https://generativelanguage.googleapis.com/v1beta/files/abc"


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
            UriSpec(UPLOADED, "image/png", PLACE),
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
    assert is_of_files_api(UPLOADED)
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
