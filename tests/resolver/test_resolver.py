"""A stack resolves into what should exist, or into everything that is wrong with it."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from types import FrameType

import pytest
from msgspec import convert

from provisioner.cache import ClaudeHandle, OpenAIHandle
from provisioner.catalog import Catalog, ModelFields
from provisioner.errors import ManifestError
from provisioner.manifest import load_manifest
from provisioner.model.attributes import Adoption, Label, Settings, Ttl
from provisioner.model.records import DesiredAnnotation, DesiredCache
from provisioner.resolver import load_and_resolve, resolve
from tests.builders import NOW
from tests.stacks import CATALOG, FLASH, HEAD, complaints, resolved, stack, write

X = "content: [{text: x}]"


def test_cache(tmp_path: Path) -> None:
    """A gemini entry becomes a cache with its life, its settings and its label."""
    keys = f"{FLASH}, {X}, refresh_before: 20%, adopt: cachedContents/abc, calls_per_hour: 40"
    (want,) = resolved(tmp_path, f"manual: {{{keys}}}").desired

    assert isinstance(want, DesiredCache)
    assert want.name == "manual"
    assert (want.provider, want.model) == ("gemini", "gemini-3.8-flash")
    assert want.life == Ttl(timedelta(hours=12))
    assert want.settings == Settings(refresh_before=Fraction(1, 5))
    assert want.label == Label("demo", "manual", want.digest[:16])
    assert (want.adopt, want.calls_per_hour) == (Adoption("cachedContents/abc"), 40)


def test_annotations(tmp_path: Path) -> None:
    """Claude and openai entries become annotations with computed handles."""
    claude, openai = resolved(
        tmp_path,
        f"a: {{provider: claude, model: claude-sonnet-5-5, ttl: 60m, {X}}}",
        f"b: {{provider: openai, model: gpt-6.1-terra, {X}}}",
    ).desired

    assert isinstance(claude, DesiredAnnotation)
    assert claude.handle == ClaudeHandle({"type": "ephemeral", "ttl": "1h"})
    assert claude.life == Ttl(timedelta(hours=1))
    assert isinstance(openai, DesiredAnnotation)
    assert openai.handle == OpenAIHandle("demo.b", {"ttl": "30m"})
    assert openai.life == Ttl(timedelta(minutes=30))


def test_order(tmp_path: Path) -> None:
    """What should exist comes in the order of the manifest."""
    caches = [f"{name}: {{{FLASH}, {X}}}" for name in "cab"]

    assert [want.name for want in resolved(tmp_path, *caches).desired] == ["c", "a", "b"]


def test_nothing(tmp_path: Path) -> None:
    """A stack without caches resolves into nothing."""
    assert resolved(tmp_path).desired == ()


def test_everywhere_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack resolves into the same wherever it lies and whence it is named."""
    here, there = tmp_path / "here", tmp_path / "deeply" / "there"
    cache = f"a: {{{FLASH}, content: content/a.md}}"
    before = resolved(here, cache, files={"content/a.md": "a\n"})
    stack(there, cache, files={"content/a.md": "a\r\n"})
    monkeypatch.chdir(there / "content")

    _, after = load_and_resolve(Path(".."), CATALOG, now=NOW)

    assert after.desired == before.desired


def test_all_at_once(tmp_path: Path) -> None:
    """What YAML, schema, entries, files and models have against a stack comes in one error."""
    write(
        tmp_path,
        f"{HEAD}caches:\n"
        f"  a: {{{FLASH}, content: missing.md}}\n"
        f"  b: {{{FLASH}, {X}, tll: 1h}}\n"
        f"  c: {{provider: gemini, model: m, ttl: 1s, {X}}}\n"
        f"  d: {{provider: gemini, model: gemini-4-argon, ttl: 1h, {X}}}\n"
        f"  e: {{provider: claude, model: claude-opus-5, ttl: 2h, {X}}}\n",
        {"x.ctxprov.yaml": "a: 1\na: 2\n"},
    )

    assert [line.split(": ")[0] for line in complaints(tmp_path, content=True)] == [
        "ctxprov.yaml:4:60",
        "ctxprov.yaml:5:82",
        "ctxprov.yaml:6:35",
        "ctxprov.yaml:7:25",
        "ctxprov.yaml:8:47",
        "x.ctxprov.yaml:2:1",
    ]


def test_only_shape(tmp_path: Path) -> None:
    """What is wrong with a manifest alone is an error when everything else is right."""
    stack(tmp_path, f"a: {{{FLASH}, {X}}}", "b: {provider: gemini}")

    assert len(complaints(tmp_path, content=True)) == 1


def test_no_frame(tmp_path: Path) -> None:
    """A manifest without a stack resolves into its problems."""
    write(tmp_path, "version: 1\ncaches: {}\n")

    assert len(complaints(tmp_path, content=True)) == 1


def test_problems_alone(tmp_path: Path) -> None:
    """A manifest that was loaded before is checked as well."""
    manifest = load_manifest(stack(tmp_path, f"a: {{{FLASH}, content: a.md}}"))

    with pytest.raises(ManifestError, match=r"caches\.a\.content: 'a\.md' does not exist"):
        resolve(manifest, CATALOG, now=NOW)


def test_linear(tmp_path: Path) -> None:
    """Twice as many entries, each with a file of its own, cost twice as many calls."""
    costs = [_calls(tmp_path / str(count), count) for count in (50, 100, 200)]

    assert costs[2] - costs[1] == pytest.approx(2 * (costs[1] - costs[0]), rel=0.02)


def _calls(root: Path, count: int) -> int:
    """How many functions are called to load and resolve *count* entries."""
    files: dict[str, str | bytes] = {f"content/{i:04}.md": f"text {i}" for i in range(count)}
    stack(
        root,
        *(f"c{i:04}: {{{FLASH}, content: content/{i:04}.md}}" for i in range(count)),
        files=files,
    )
    made = 0

    def count_call(_: FrameType, event: str, __: object) -> None:
        nonlocal made
        made += event in {"call", "c_call"}

    load_and_resolve(root, CATALOG, now=NOW)
    sys.setprofile(count_call)
    try:
        load_and_resolve(root, CATALOG, now=NOW)
    finally:
        sys.setprofile(None)
    return made


X = "content: [{text: x}]"


@pytest.mark.parametrize(
    ("keys", "ttl"),
    [
        ("provider: claude, model: claude-opus-5", timedelta(minutes=5)),
        ("provider: claude, model: claude-opus-5, ttl: 300s", timedelta(minutes=5)),
        ("provider: claude, model: claude-opus-5, ttl: 1h", timedelta(hours=1)),
        ("provider: openai, model: gpt-6.1-terra", timedelta(minutes=30)),
        ("provider: openai, model: gpt-6.1-terra, ttl: 12h", timedelta(hours=12)),
        ("provider: openai, model: gpt-5.5", timedelta(hours=24)),
        ("provider: openai, model: gpt-5.4", timedelta(hours=24)),
        ("provider: openai, model: gpt-5.4, ttl: 1h", timedelta(hours=1)),
    ],
)
def test_lives(tmp_path: Path, keys: str, ttl: timedelta) -> None:
    """A life on offer is taken; without one the provider's default holds."""
    (want,) = resolved(tmp_path, f"a: {{{keys}, {X}}}").desired

    assert want.life == Ttl(ttl)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            "provider: claude, model: claude-opus-5, ttl: 30m",
            "must be 5m or 1h for claude, not 30m",
        ),
        (
            "provider: openai, model: gpt-6.1-sol, ttl: 1h",
            "must be 30m or 12h for gpt-6.1-sol, not 1h",
        ),
        ("provider: openai, model: gpt-6-sol, ttl: 12h", "must be 30m for gpt-6-sol, not 12h"),
        ("provider: openai, model: gpt-5.5, ttl: 1h", "must be 1d for gpt-5.5, not 1h"),
    ],
)
def test_other_lives(tmp_path: Path, keys: str, message: str) -> None:
    """A life that is not on offer is an error at its line."""
    stack(tmp_path, f"a: {{{keys}, {X}}}")

    (found,) = complaints(tmp_path, content=True)

    assert found.endswith(f"caches.a.ttl: {message}")


def test_default_life(tmp_path: Path) -> None:
    """A default that the provider does not offer is one error where the default stands."""
    text = (
        f"{HEAD}defaults: {{claude: {{model: claude-opus-5, ttl: 6h}}}}\ncaches:\n"
        f"  a: {{provider: claude, {X}}}\n  b: {{provider: claude, {X}}}\n"
    )

    assert complaints(write(tmp_path, text), content=True) == [
        "ctxprov.yaml:3:43: defaults.claude.ttl: must be 5m or 1h for claude, not 6h (2 caches)"
    ]


FILES = "uri: 'https://generativelanguage.googleapis.com/v1beta/files/abc', mime_type: video/mp4"
BUCKET = "uri: 'gs://bucket/a.mp4', mime_type: video/mp4"
LARGE = f"content: [{{text: '{'word ' * 4000}'}}]"


def warnings(root: Path, keys: str) -> list[str]:
    found = resolved(root, f"a: {{{keys}}}").warnings
    return [f"{problem.where}: {problem.message}" for problem in found]


def test_dying_file(tmp_path: Path) -> None:
    """An uploaded file cannot be kept warm, for it dies after 48 hours."""
    stack(tmp_path, f"a: {{{FLASH}, content: [{{{FILES}}}]}}")

    assert complaints(tmp_path, content=True) == [
        (
            "ctxprov.yaml:4:71: caches.a.content[0].uri: an uploaded file dies after 48 hours, so "
            "the cache cannot be kept warm: use gs://, a file, or keep: once"
        )
    ]


@pytest.mark.parametrize(
    "keys",
    [
        f"{FLASH}, keep: once",
        "provider: gemini, model: gemini-3.8-flash, expires_at: 2026-02-01T00:00:00Z",
    ],
)
def test_dying_file_once(tmp_path: Path, keys: str) -> None:
    """A cache that is not kept warm may be made of one."""
    assert not warnings(tmp_path, f"{keys}, content: [{{{FILES}}}]")


def test_address(tmp_path: Path) -> None:
    """An address whose content may change is warned of, until there is a revision."""
    assert warnings(tmp_path, f"{FLASH}, content: [{{{BUCKET}}}]") == [
        (
            "caches.a.content[0].uri: is known by its address alone: give a revision, and change "
            "it with the content"
        )
    ]
    assert not warnings(tmp_path, f"{FLASH}, revision: 1, content: [{{{BUCKET}}}]")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("7h", "is more than half of the ttl, 12h: 6h is used"),
        ("999999999d", "is more than half of the ttl, 12h: 6h is used"),
        ("51%", "is more than half: 50% is used"),
    ],
)
def test_window(tmp_path: Path, window: str, message: str) -> None:
    """A window beyond half a life is cut, and that is said."""
    assert warnings(tmp_path, f"{FLASH}, refresh_before: {window}, {LARGE}") == [
        f"caches.a.refresh_before: {message}"
    ]


@pytest.mark.parametrize("window", ["6h", "50%", "1s"])
def test_honest_window(tmp_path: Path, window: str) -> None:
    """A window up to half a life is taken as it is."""
    assert not warnings(tmp_path, f"{FLASH}, refresh_before: {window}, {LARGE}")


ROW = {
    "provider": "gemini",
    "name": "m",
    "min_tokens": 1024,
    "explicit_caching": True,
    "retires_on": "2026-03-02",
    "sources": ["ours"],
    "prices": [],
}
CLAUDE = {
    **{key: value for key, value in ROW.items() if key != "explicit_caching"},
    "provider": "claude",
    "retires_on": None,
    "request_field": "cache_control",
    "default_ttl": "5m",
    "ttls": [{"ttl": "5m", "write": 1.25}],
}
RETIRES = datetime.fromisoformat("2026-03-02T00:00:00Z")
LARGE_CONTENT = f"content: [{{text: '{'word ' * 1000}'}}]"


def model_warnings(
    root: Path, keys: str, *rows: dict[str, object], now: datetime = NOW
) -> list[str]:
    stack(root, f"a: {{provider: gemini, ttl: 1h, {keys}}}")
    found = load_and_resolve(root, Catalog(convert(rows, tuple[ModelFields, ...])), now=now)[
        1
    ].warnings
    return [f"{problem.where}: {problem.message}" for problem in found]


def test_implicit_only(tmp_path: Path) -> None:
    """A model without explicit caches is an error at its line, also in defaults."""
    text = (
        f"{HEAD}defaults: {{gemini: {{model: gemini-4-argon, ttl: 1h}}}}\ncaches:\n"
        "  a: {provider: gemini, content: [{text: x}]}\n"
        "  b: {provider: gemini, content: [{text: x}], model: gemini-robotics-er-2-preview}\n"
    )

    assert complaints(write(tmp_path, text), content=True) == [
        (
            "ctxprov.yaml:3:21: defaults.gemini.model: gemini-4-argon has implicit caching only: "
            "no cache can be made for it"
        ),
        (
            "ctxprov.yaml:6:47: caches.b.model: gemini-robotics-er-2-preview has implicit caching "
            "only: no cache can be made for it"
        ),
    ]


def test_both_names_of_one_model(tmp_path: Path) -> None:
    """A model that has implicit caching only is known by its name without `preview` too."""
    cache = "a: {provider: gemini, content: [{text: x}], model: gemini-robotics-er-2, ttl: 1h}"
    stack(tmp_path, cache)

    (complaint,) = complaints(tmp_path, content=True)
    assert "gemini-robotics-er-2 has implicit caching only" in complaint


def test_other_provider(tmp_path: Path) -> None:
    """A model of another provider is an error."""
    stack(tmp_path, "a: {provider: claude, model: gemini-3.8-flash, content: [{text: x}]}")

    assert complaints(tmp_path, content=True) == [
        "ctxprov.yaml:4:25: caches.a.model: gemini-3.8-flash is a model of gemini, not of claude"
    ]


def test_unknown(tmp_path: Path) -> None:
    """A model that no catalog lists is taken as it is."""
    assert not model_warnings(tmp_path, "model: brand-new, content: [{text: x}]", ROW)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (timedelta(days=61), None),
        (timedelta(days=60), "m retires on 2026-03-02, in 60 days"),
        (timedelta(days=1), "m retires on 2026-03-02, in 1 day"),
        (timedelta(seconds=1), "m retires on 2026-03-02, in 1 day"),
        (timedelta(), "m was retired on 2026-03-02"),
        (timedelta(days=-300), "m was retired on 2026-03-02"),
    ],
)
def test_retirement(tmp_path: Path, before: timedelta, message: str | None) -> None:
    """A model is warned of from 60 days before it retires, and ever after."""
    found = model_warnings(tmp_path, f"model: m, {LARGE_CONTENT}", ROW, now=RETIRES - before)

    assert found == ([f"caches.a.model: {message}"] if message else [])


def test_minimum(tmp_path: Path) -> None:
    """Content below the minimum is a warning with both numbers."""
    row = {**ROW, "retires_on": None}

    assert model_warnings(tmp_path, "model: m, content: [{text: 'four chars'}]", row) == [
        (
            "caches.a.content: comes to ~3 tokens, below the 1,024 from which m caches: "
            "the server may refuse it"
        )
    ]
    assert not model_warnings(tmp_path, f"model: m, {LARGE_CONTENT}", row)
    assert not model_warnings(
        tmp_path, "model: m, content: [{text: x}]", {**row, "min_tokens": None}
    )


def test_minimum_of_annotation(tmp_path: Path) -> None:
    """A claude entry below the minimum would silently not be cached."""
    stack(
        tmp_path, "a: {provider: claude, model: m, system_instruction: s.md}", files={"s.md": "s"}
    )
    catalog = Catalog(convert([CLAUDE], tuple[ModelFields, ...]))

    (warning,) = load_and_resolve(tmp_path, catalog, now=NOW)[1].warnings

    assert warning.where == "caches.a.system_instruction"
    assert warning.message.endswith("from which m caches: nothing would be cached")


def test_minimum_unknown_size(tmp_path: Path) -> None:
    """Content that lies elsewhere may be large enough."""
    keys = "model: m, revision: 1, content: [{uri: 'gs://a', mime_type: video/mp4}]"

    assert not model_warnings(tmp_path, keys, {**ROW, "retires_on": None})
