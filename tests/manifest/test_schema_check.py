"""The JSON Schema, its two validators, and what of a document has its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.manifest.explain import explain
from provisioner.manifest.explain import validator as explainer
from provisioner.manifest.reader import read_document
from provisioner.manifest.schema_check import Kind, schema, shape_of, validator
from provisioner.manifest.source_map import Document, Value

KEYS = [
    *("provider", "model", "content", "system_instruction", "tools", "tool_config", "ttl"),
    *("expires_at", "refresh_before", "retire_after", "keep", "protect", "adopt", "revision"),
    *("calls_per_hour", "file", "uri", "text", "mime_type", "$ref", "contents"),
]
WORDS = [
    *("gemini", "claude", "openai", "warm", "once", "12h", "1h30m", "25%", "0%", "12", ""),
    *("2026-12-24T18:00:00Z", "cachedContents/a-b", "cachedContents/../a", "gs://a/b", "a b\n"),
    *("gemini-3.8-flash", "models/x", "content/a.md", "a\x00b", "application/pdf", "ä"),
]
NAMES = ["a", "a-b", "product-manual", "-a", "A", "a\n", "a" * 48, "a" * 49, "", "ä", "0"]

SCALARS: st.SearchStrategy[Value] = (
    st.none() | st.booleans() | st.integers(-3, 10**17) | st.sampled_from(WORDS) | st.floats(-1, 9)
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
GOOD: dict[str, Value] = {"provider": "gemini", "model": "m", "content": "a.md", "ttl": "12h"}
ENTRIES = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([GOOD, {"provider": "claude", "content": "a.md"}, {}]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
)
CACHES = st.dictionaries(st.sampled_from(NAMES), ENTRIES | VALUES, max_size=3)
DEFAULTS = st.dictionaries(
    st.sampled_from(["gemini", "claude", "openai", "other"]),
    st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=3) | SCALARS,
    max_size=2,
)
ROOTS = st.fixed_dictionaries(
    {"version": st.just(1) | SCALARS},
    optional={
        "stack": st.sampled_from(NAMES) | SCALARS,
        "publish": SCALARS,
        "state": SCALARS,
        "defaults": DEFAULTS | SCALARS,
        "caches": CACHES | SCALARS,
        "cache": SCALARS,
    },
)


@pytest.mark.parametrize("kind", ["manifest", "fragment"])
@given(root=ROOTS)
def test_one_verdict(kind: Kind, root: dict[str, Any]) -> None:
    """Both validators say the same of any document, and what is wrong is always explained."""
    document = Document("f", root, {})
    right = validator(kind).is_valid(root)

    assert explainer(schema(kind)).is_valid(root) is right
    assert bool(explain(document, root, schema(kind))) is not right
    assert bool(shape_of(document, kind).problems) is not right


def test_right_caches() -> None:
    """Caches that are right are told from those that are wrong."""
    text = b"""{version: 1, stack: demo, caches: {
        right: {provider: gemini, content: a}, wrong: {provider: gemini}, Also: {provider: gemini,
        content: a}}}"""
    shape = shape_of(read_document("f", text), "manifest")

    assert list(shape.caches) == ["right"]
    assert shape.framed
    assert len(shape.problems) == 2


def test_frame() -> None:
    """What is wrong around the caches is told from what is wrong with them."""
    text = b"{version: 1, stack: Demo, caches: {right: {provider: gemini, content: a}}}"
    shape = shape_of(read_document("f", text), "manifest")

    assert list(shape.caches) == ["right"]
    assert not shape.framed


def _rules(shape: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # a schema
    match shape:
        case dict():
            yield shape
            for inner in shape.values():
                yield from _rules(inner)
        case list():
            for inner in shape:
                yield from _rules(inner)
        case _:
            pass


def test_every_rule_has_words() -> None:
    """Whatever can be wrong with a value has a title for messages to say."""
    checks = {"enum", "pattern", "minimum", "minLength", "maxLength", "minItems", "not"}
    rules = [rule for rule in _rules(schema("manifest")["$defs"]) if checks & rule.keys()]

    assert rules
    assert [rule for rule in rules if "title" not in rule] == []


def test_every_key_is_described() -> None:
    """Every key has a description, for documents and editors."""
    whole: Any = schema("manifest")
    shapes = [whole, *(whole["$defs"][name] for name in ("keys", "part", "environment"))]
    keys = [(key, rule) for shape in shapes for key, rule in shape["properties"].items()]

    for key, rule in keys:
        reference = rule.get("$ref", "").rpartition("/")[2]
        assert {**whole["$defs"].get(reference, {}), **rule}.get("description"), key
