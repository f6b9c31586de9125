"""What is known of a model is an error where nothing can work, and else a warning."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec import convert

from provisioner.catalog import Catalog, ModelFields
from provisioner.resolver import load_and_resolve
from tests.builders import NOW
from tests.stacks import HEAD, complaints, stack, write

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
LARGE = f"content: [{{text: '{'word ' * 1000}'}}]"


def warnings(root: Path, keys: str, *rows: dict[str, object], now: datetime = NOW) -> list[str]:
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
    assert not warnings(tmp_path, "model: brand-new, content: [{text: x}]", ROW)


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
    found = warnings(tmp_path, f"model: m, {LARGE}", ROW, now=RETIRES - before)

    assert found == ([f"caches.a.model: {message}"] if message else [])


def test_minimum(tmp_path: Path) -> None:
    """Content below the minimum is a warning with both numbers."""
    row = {**ROW, "retires_on": None}

    assert warnings(tmp_path, "model: m, content: [{text: 'four chars'}]", row) == [
        (
            "caches.a.content: comes to ~3 tokens, below the 1,024 from which m caches: "
            "the server may refuse it"
        )
    ]
    assert not warnings(tmp_path, f"model: m, {LARGE}", row)
    assert not warnings(tmp_path, "model: m, content: [{text: x}]", {**row, "min_tokens": None})


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

    assert not warnings(tmp_path, keys, {**ROW, "retires_on": None})
