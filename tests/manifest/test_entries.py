"""One entry for many files or folders."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from provisioner.cache import TextPart
from provisioner.manifest import load_manifest
from provisioner.manifest.types import (
    AnnotationEntry,
    CacheEntry,
    Entry,
    FileSpec,
    InlineJson,
    TextSpec,
    UriSpec,
)
from provisioner.model.attributes import Settings, Ttl, Until
from provisioner.resolver import load_and_resolve
from provisioner.resolver.content import read_content
from tests.builders import NOW
from tests.stacks import CATALOG, FLASH, HEAD, complaints, loaded, write

TENANTS: dict[str, str | bytes] = {
    f"tenants/{name}/{file}.md": f"{file} of {name} " * 500
    for name in ("acme", "bell", "cord")
    for file in ("manual", "faq")
}
LONG = "customers/the-north-american-region-of-the-company-2026"
MANUAL = f"manual-{{each}}: {{{FLASH}, each: tenants/*, content: 'tenants/{{each}}/manual.md'}}"


def stack(root: Path, *caches: str, files: dict[str, str | bytes] | None = None) -> Path:
    lines = "".join(f"  {cache}\n" for cache in caches)
    return write(root, f"{HEAD}caches:\n{lines}", TENANTS if files is None else files)


def names(root: Path) -> list[str]:
    return list(load_manifest(root).caches)


def test_folders(tmp_path: Path) -> None:
    """Each folder makes a cache with content of its own, and that content can be read again."""
    manifest, resolution = load_and_resolve(stack(tmp_path, MANUAL), CATALOG, now=NOW)

    assert [want.name for want in resolution.desired] == [
        "manual-acme",
        "manual-bell",
        "manual-cord",
    ]
    assert resolution.desired[0].measure.paths == ("tenants/acme/manual.md",)
    content = read_content(manifest, resolution.desired[1])
    assert content.parts == (TextPart(str(TENANTS["tenants/bell/manual.md"])),)


def test_files(tmp_path: Path) -> None:
    """A file stands for itself by its name without the suffix."""
    faq = f"'{{each}}-faq': {{{FLASH}, each: 'faqs/*.md', content: 'faqs/{{each}}.md'}}"
    files: dict[str, str | bytes] = {
        "faqs/b.md": "b",
        "faqs/a.md": "a",
        "faqs/.hidden.md": "h",
        "faqs/c.txt": "c",
    }

    assert names(stack(tmp_path, faq, files=files)) == ["a-faq", "b-faq"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("tenants/*", ["acme", "bell", "cord"]),
        ("./tenants//*/", ["acme", "bell", "cord"]),
        ("*/b*", ["bell"]),
        ("tenants/[ac]*", ["acme", "cord"]),
        ("tenants/bell/?an*.md", ["manual"]),
        ("tenants/acme", ["acme"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, found: list[str]) -> None:
    """Every step of a pattern may hold wildcards, and none reaches over a step."""
    entry = f"'{{each}}': {{{FLASH}, each: '{pattern}', content: x}}"

    assert names(stack(tmp_path, entry)) == found


def test_folders_alone(tmp_path: Path) -> None:
    """A slash at the end leaves files out."""
    entry = f"'{{each}}': {{{FLASH}, each: tenants/*/, content: x}}"

    assert names(stack(tmp_path, entry, files={**TENANTS, "tenants/README": "r"})) == [
        "acme",
        "bell",
        "cord",
    ]


def test_nowhere_else(tmp_path: Path) -> None:
    """The word stands in for {each} in name and paths; texts and tools keep theirs."""
    entry = (
        f"'m-{{each}}': {{{FLASH}, each: tenants/acme, system_instruction: '{{each}}/s.md', "
        "content: ['{each}/a.md', {file: '{each}/b', mime_type: application/pdf}, "
        "{text: 'for {each}'}], tools: [{name: '{each}'}], tool_config: 't/{each}.json', "
        "revision: '{each}'}"
    )
    found = load_manifest(stack(tmp_path, entry)).caches["m-acme"]

    assert [part.path for part in found.parts if isinstance(part, FileSpec)] == [
        "acme/a.md",
        "acme/b",
    ]
    assert [part.text for part in found.parts if isinstance(part, TextSpec)] == ["for {each}"]
    assert found.system_instruction
    assert found.system_instruction.path == "acme/s.md"
    assert isinstance(found.tools, InlineJson)
    assert found.tools.value == [{"name": "{each}"}]
    assert isinstance(found.tool_config, FileSpec)
    assert found.tool_config.path == "t/acme.json"
    assert found.revision == "{each}"


def test_each_provider(tmp_path: Path) -> None:
    """A list of providers makes every one of them for each."""
    head = "providers: {b: {type: gemini, key_env: GEMINI_B}}\n"
    text = (
        f"{HEAD}{head}caches: {{'m-{{each}}': {{provider: [gemini, b], model: m, ttl: 1h, "
        "each: tenants/*, content: x}}\n"
    )

    assert names(write(tmp_path, text, TENANTS)) == [
        f"m-{name}-{provider}" for provider in ("gemini", "b") for name in ("acme", "bell", "cord")
    ]


def test_an_environment(tmp_path: Path) -> None:
    """An environment changes the entry, and with it all that come of it."""
    text = (
        f"{HEAD}environments: {{dev: {{caches: {{'manual-{{each}}': {{each: tenants/b*}}}}}}}}\n"
        f"caches:\n  {MANUAL}\n"
    )
    found = load_manifest(write(tmp_path, text, TENANTS), environment="dev")

    assert list(found.caches) == ["manual-bell"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("'m-{each}': {EACH tenants/x*}", "each: names nothing that is there"),
        ("'m-{each}': {EACH nowhere/*}", "each: names nothing that is there"),
        ("'m-{each}': {EACH '../*'}", "each: lies outside of the manifest's folder"),
        ("'m-{each}': {EACH /etc/*}", "each: is absolute"),
        ("'m-{each}': {EACH 'tenants/**'}", "each: has a '**'"),
        ("'m-{each}': {EACH ./}", "each: names nothing that is there"),
        ("m: {EACH tenants/*}", "each: goes together with {each} in the cache's name"),
        ("'m-{each}': {}", "each: goes together with {each} in the cache's name"),
        (
            "'m-{each}': {EACH tenants/*/m*}",
            (
                "makes m-manual, which is declared already at ctxprov.yaml:4:3 "
                "(each: 'tenants/acme/manual.md') (each: 'tenants/bell/manual.md' and one more)"
            ),
        ),
        (
            "'m-{each}': {EACH odd/*}",
            (
                "makes 'm-Big Co', which is not a name of at most 48 characters out of "
                "a-z, 0-9 and - (each: 'odd/Big Co')"
            ),
        ),
        ("'m-{each}-{other}': {EACH tenants/*}", "must be a name of at most 48 characters"),
        ("'m-{each}': {EACH tenants/*, ttl: 500d}", "must be from 1m to 365d, not 500d"),
    ],
)
def test_mistakes(tmp_path: Path, entry: str, message: str) -> None:
    """What is wrong is a problem at the entry's line, with the file that it is about."""
    words = f"content: x, {FLASH}"
    if "ttl: 500d" in entry:
        words = words.replace(", ttl: 12h", "")
    text = entry.replace("{EACH", f"{{{words}, each:").replace(": {}", f": {{{words}}}")
    found = complaints(stack(tmp_path, text, files={**TENANTS, "odd/Big Co/x": "x"}))

    assert message in found[0].replace(f"{tmp_path}/", "")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        (f"{LONG}/*", [f"{LONG}/handbook-of-acme.{suffix}" for suffix in ("md", "txt")]),
        (f"{LONG}/*/manual.md", [f"{LONG}/{name}/manual.md" for name in ("acme", "bell")]),
    ],
    ids=["files", "folders"],
)
def test_long_paths(tmp_path: Path, pattern: str, paths: list[str]) -> None:
    """Two files that make one name are named by their whole paths, however long these are."""
    entry = f"'m-{{each}}': {{{FLASH}, each: '{pattern}', content: x}}"
    (found,) = complaints(stack(tmp_path, entry, files=dict.fromkeys(paths, "x")))

    assert f"declared already at {tmp_path}/ctxprov.yaml:4:3 (each: {paths[0]!r})" in found
    assert found.endswith(f"(each: {paths[1]!r})")


def test_a_declared_name_twice(tmp_path: Path) -> None:
    """A name that is made and declared is a problem with both places."""
    own = f"manual-bell: {{{FLASH}, content: x}}"
    (found,) = complaints(stack(tmp_path, MANUAL, own))

    assert found.replace(f"{tmp_path}/", "") == (
        "ctxprov.yaml:5:3: caches.manual-bell: makes manual-bell, which is declared already "
        "at ctxprov.yaml:4:3 (each: 'tenants/bell')"
    )


def test_content_that_is_missing(tmp_path: Path) -> None:
    """Of many entries the one that lacks its file is named."""
    files = {path: text for path, text in TENANTS.items() if path != "tenants/bell/manual.md"}
    (found,) = complaints(
        stack(tmp_path, MANUAL, files={**files, "tenants/bell/x": "x"}), content=True
    )

    assert "'tenants/bell/manual.md' does not exist (each: 'tenants/bell')" in found


def test_what_is_wrong_for_all(tmp_path: Path) -> None:
    """What is wrong with every file alike is one problem, with the number of files."""
    text = MANUAL.replace("gemini-3.8-flash", "claude-sonnet-5-5")
    (found,) = complaints(stack(tmp_path, text, files=TENANTS), content=True)

    assert "not of gemini (each: 'tenants/acme' and " in found


def test_symlinks(tmp_path: Path) -> None:
    """A link is followed inside the folder and refused where it leads out."""
    root = stack(tmp_path / "stack", MANUAL)
    (root / "tenants" / "dove").symlink_to("acme")
    assert names(root)[-1] == "manual-dove"

    (tmp_path / "other").mkdir()
    (root / "tenants" / "evil").symlink_to(tmp_path / "other")
    (found,) = complaints(root)
    assert "names 'tenants/evil', which lies outside of the manifest's folder" in found


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    """A FIFO or a link to nothing is a problem, and no wait."""
    root = stack(tmp_path, MANUAL)
    os.mkfifo(root / "tenants" / "fifo")
    (found,) = complaints(root)
    assert "names 'tenants/fifo', which is neither a file nor a folder" in found


def test_three_hundred_tenants(tmp_path: Path) -> None:
    """Three hundred tenants with two caches each are ten lines of YAML."""
    text = """\
version: 1
stack: tenants
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h}
caches:
  manual-{each}: {provider: gemini, each: tenants/*, content: "tenants/{each}/manual.md"}
  faq-{each}:
    provider: gemini
    each: tenants/*
    content: "tenants/{each}/faq.md"
"""
    files: dict[str, str | bytes] = {
        f"tenants/t{number:03}/{file}.md": f"{file} {number}"
        for number in range(300)
        for file in ("manual", "faq")
    }
    assert len(text.splitlines()) == 10
    _, resolution = load_and_resolve(write(tmp_path, text, files), CATALOG, now=NOW)

    assert len(resolution.desired) == 600
    assert len({want.digest for want in resolution.desired}) == 600
    assert [want.name for want in resolution.desired][:2] == ["manual-t000", "manual-t001"]


DEFAULTS = """\
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h, refresh_before: 4h, retire_after: 2h, keep: once}
  claude: {model: claude-sonnet-5-5, ttl: 1h}
"""


def entry(root: Path, cache: str, *, defaults: str = "") -> Entry:
    """The one entry of a stack."""
    manifest = load_manifest(write(root, f"{HEAD}{defaults}caches:\n  {cache}\n"))
    return next(iter(manifest.caches.values()))


def gemini(root: Path, keys: str, *, defaults: str = "") -> CacheEntry:
    found = entry(root, f"a: {{provider: gemini, content: a, {keys}}}", defaults=defaults)
    assert isinstance(found, CacheEntry)
    return found


def complaint(root: Path, cache: str, *, defaults: str = "") -> str:
    (found,) = complaints(write(root, f"{HEAD}{defaults}caches:\n  {cache}\n"))
    return found


def test_everything(tmp_path: Path) -> None:
    """Every key of a gemini entry reaches the entry."""
    found = gemini(
        tmp_path,
        "model: m, ttl: 1h30m, refresh_before: 25%, retire_after: 0s, keep: once, protect: true, "
        "adopt: cachedContents/abc, revision: 7, calls_per_hour: 2.5, system_instruction: s.md, "
        "tools: tools.json, tool_config: {mode: ANY}",
    )

    assert found == CacheEntry(
        name="a",
        provider="gemini",
        model="m",
        parts=(FileSpec("a", None, found.places[0]),),
        system_instruction=FileSpec("s.md", None, found.places[0]),
        tools=FileSpec("tools.json", None, found.places[0]),
        tool_config=InlineJson({"mode": "ANY"}, found.places[0]),
        revision="7",
        calls_per_hour=2.5,
        life=Ttl(timedelta(minutes=90)),
        settings=Settings(
            refresh_before=Fraction(1, 4), retire_after=timedelta(), keep="once", protect=True
        ),
        adopt="cachedContents/abc",
        places=found.places,
    )


def test_nothing(tmp_path: Path) -> None:
    """What is left out has the documented defaults."""
    found = gemini(tmp_path, "model: m, ttl: 1h")

    assert found.settings == Settings(
        refresh_before=Fraction(1, 3), retire_after=timedelta(hours=1), keep="warm", protect=False
    )
    assert {found.revision, found.adopt, found.calls_per_hour} == {None}
    assert {found.system_instruction, found.tools, found.tool_config} == {None}


def test_defaults(tmp_path: Path) -> None:
    """Defaults fill in what a cache leaves out, and its own keys win."""
    found = gemini(tmp_path, "keep: warm, ttl: 6h", defaults=DEFAULTS)

    assert found.model == "gemini-3.8-flash"
    assert found.life == Ttl(timedelta(hours=6))
    assert found.settings == Settings(
        refresh_before=timedelta(hours=4), retire_after=timedelta(hours=2), keep="warm"
    )


def test_expires_at(tmp_path: Path) -> None:
    """A moment of its own overrides a default ttl."""
    found = gemini(tmp_path, "expires_at: 2026-12-24T18:00:00+02:00", defaults=DEFAULTS)

    assert found.life == Until(datetime(2026, 12, 24, 16, tzinfo=UTC))


def test_annotations(tmp_path: Path) -> None:
    """Claude and openai entries need no ttl, and take no other provider's defaults."""
    claude = entry(tmp_path, "a: {provider: claude, content: a}", defaults=DEFAULTS)
    openai = entry(tmp_path, "a: {provider: openai, content: a, model: m}", defaults=DEFAULTS)

    assert isinstance(claude, AnnotationEntry)
    assert (claude.model, claude.ttl) == ("claude-sonnet-5-5", timedelta(hours=1))
    assert isinstance(openai, AnnotationEntry)
    assert openai.ttl is None


def test_parts(tmp_path: Path) -> None:
    """Content is a list of paths, files with a type, addresses and texts, in order."""
    found = entry(
        tmp_path,
        "a: {provider: gemini, model: m, ttl: 1h, content: [a.md, {file: b}, "
        "{file: c, mime_type: image/png}, {uri: 'gs://b/d', mime_type: text/csv}, {text: e}]}",
    )

    assert found.parts == (
        FileSpec("a.md", None, found.places[0]),
        FileSpec("b", None, found.places[0]),
        FileSpec("c", "image/png", found.places[0]),
        UriSpec("gs://b/d", "text/csv", found.places[0]),
        TextSpec("e", found.places[0]),
    )


def test_instruction_alone(tmp_path: Path) -> None:
    """A system instruction is content enough."""
    manifest = loaded(tmp_path, f"a: {{{FLASH}, system_instruction: s.md}}")

    assert manifest.caches["a"].parts == ()


def test_places(tmp_path: Path) -> None:
    """A value is complained of where it stands: in the entry, in its defaults, or at the entry."""
    found = gemini(tmp_path, "ttl: 6h", defaults=DEFAULTS)
    texts = [str(found.at(key).problem("x")) for key in ("ttl", "model", "adopt")]

    assert [text.removeprefix(f"{tmp_path}/") for text in texts] == [
        "ctxprov.yaml:7:37: caches.a.ttl: x",
        "ctxprov.yaml:4:12: defaults.gemini.model: x",
        "ctxprov.yaml:7:3: caches.a: x",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("ttl: 1h", "4:3: caches.a: needs a model, here or in defaults.gemini"),
        ("model: m", "4:3: caches.a: needs a ttl or an expires_at, here or in defaults.gemini"),
        ("model: m, ttl: 59s", "4:47: caches.a.ttl: must be from 1m to 365d, not 59s"),
        ("model: m, ttl: 366d", "4:47: caches.a.ttl: must be from 1m to 365d, not 366d"),
        (
            "model: m, ttl: 999999999d999999999d",
            "4:47: caches.a.ttl: this duration is longer than 999,999,999 days",
        ),
        (
            "model: m, expires_at: 2026-12-24T18:00:00",
            (
                "4:47: caches.a.expires_at: a moment is RFC 3339 with an offset, "
                "such as 2026-12-24T18:00:00Z"
            ),
        ),
        (
            "model: m, ttl: 1h, refresh_before: 0s",
            "4:56: caches.a.refresh_before: must be longer than 0s; 'keep: once' lets a cache die",
        ),
        (
            "model: m, ttl: 1h, retire_after: 9999d",
            "4:56: caches.a.retire_after: must be at most 365d, not 9999d",
        ),
        (
            "model: m, ttl: 1h, system_instruction: https://example.org/a",
            (
                "4:56: caches.a.system_instruction: is an address, not a path: "
                "write {uri: ADDRESS, mime_type: TYPE}"
            ),
        ),
    ],
)
def test_wrong(tmp_path: Path, keys: str, message: str) -> None:
    """What the schema cannot say is one problem at its key."""
    found = complaint(tmp_path, f"a: {{provider: gemini, content: a, {keys}}}")

    assert found == f"ctxprov.yaml:{message}"


def test_wrong_default(tmp_path: Path) -> None:
    """A default that is wrong is one problem, however many caches use it."""
    defaults = "defaults: {gemini: {model: m, ttl: 1s}}\n"
    caches = "\n  ".join(f"{name}: {{provider: gemini, content: a}}" for name in "abc")

    message = complaint(tmp_path, caches, defaults=defaults)

    assert (
        message
        == "ctxprov.yaml:3:31: defaults.gemini.ttl: must be from 1m to 365d, not 1s (3 caches)"
    )


def test_several(tmp_path: Path) -> None:
    """All that is wrong with an entry is reported at once."""
    keys = "provider: gemini, content: 'gs://a', ttl: 1s, retire_after: 400d"

    assert len(complaints(write(tmp_path, f"{HEAD}caches:\n  a: {{{keys}}}\n"))) == 4
