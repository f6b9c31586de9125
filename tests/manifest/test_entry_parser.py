"""Entries mean what their keys and their provider's defaults say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from provisioner.manifest.stack import load_manifest
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
from tests.stacks import FLASH, HEAD, complaints, loaded, write

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
