"""The JSON Schema, its two validators, and what of a document has its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.manifest.reader import read_document
from provisioner.manifest.schema_check import Kind, explain, explainer, schema, shape_of, validator
from provisioner.manifest.source_map import YamlDocument, YamlValue

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

SCALARS: st.SearchStrategy[YamlValue] = (
    st.none() | st.booleans() | st.integers(-3, 10**17) | st.sampled_from(WORDS) | st.floats(-1, 9)
)
VALUES: st.SearchStrategy[YamlValue] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
GOOD: dict[str, YamlValue] = {"provider": "gemini", "model": "m", "content": "a.md", "ttl": "12h"}
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
    document = YamlDocument("f", root, {})
    right = validator(kind).is_valid(root)

    assert explainer(kind).is_valid(root) is right
    assert bool(explain(document, root, kind)) is not right
    assert bool(shape_of(document, kind).problems) is not right


def test_right_caches() -> None:
    """A wrong cache leaves the right ones right."""
    text = b"""{version: 1, stack: demo, caches: {
        right: {provider: gemini, content: a}, wrong: {provider: gemini}, Also: {provider: gemini,
        content: a}}}"""
    shape = shape_of(read_document("f", text), "manifest")

    assert list(shape.caches) == ["right"]
    assert shape.framed
    assert len(shape.problems) == 2


def test_frame() -> None:
    """A wrong frame leaves the caches right."""
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
    """Every rule for a value has a title, which messages cite."""
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


CACHE = "provider: gemini, content: a"


def complaints(text: str, kind: Kind = "manifest") -> list[str]:
    document = read_document("f", text.encode())
    return [str(problem) for problem in sorted(shape_of(document, kind).problems)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("content: a", "4:3: caches.a.provider: is missing; it must be gemini, claude or openai"),
        ("provider: gemini", "4:3: caches.a: needs a content, a system_instruction, or both"),
        (
            f"{CACHE}, ttl: 12",
            "4:37: caches.a.ttl: must be a duration such as 90m or 12h, not 12",
        ),
        (
            f"{CACHE}, ttl: 12 h",
            "4:37: caches.a.ttl: must be a duration such as 90m or 12h, not '12 h'",
        ),
        (
            f"{CACHE}, ttl: ",
            "4:37: caches.a.ttl: is empty; it must be a duration such as 90m or 12h",
        ),
        (
            "provider: [gemini, gemini], content: a",
            "4:7: caches.a.provider: names one of them twice",
        ),
        (f"{CACHE}, tll: 12h", "4:37: caches.a.tll: is not a key here; did you mean ttl?"),
        (f"{CACHE}, TTL: 12h", "4:37: caches.a.TTL: is not a key here; did you mean ttl?"),
        (
            f"{CACHE}, refresh_before: 0%",
            (
                "4:37: caches.a.refresh_before: must be a duration or a percentage, "
                "such as 4h or 33%, not '0%'"
            ),
        ),
        (
            f"{CACHE}, keep: forever",
            "4:37: caches.a.keep: must be warm or once, not 'forever'",
        ),
        (f"{CACHE}, protect: yes", "4:37: caches.a.protect: must be true or false, not 'yes'"),
        (
            f"{CACHE}, adopt: abc",
            (
                "4:37: caches.a.adopt: must be the name of a live cache, such as "
                "cachedContents/abc123, not 'abc'"
            ),
        ),
        (
            f"{CACHE}, adopt: cachedContents/a?key=b",
            (
                "4:37: caches.a.adopt: must be the name of a live cache, such as "
                "cachedContents/abc123, not 'cachedContents/a?key=b'"
            ),
        ),
        (
            f"{CACHE}, model: models/gemini-3.8-flash",
            (
                "4:37: caches.a.model: must be the bare id of a model, such as gemini-3.8-flash, "
                "not 'models/gemini-3.8-flash'"
            ),
        ),
        (
            f"{CACHE}, calls_per_hour: -1.5",
            "4:37: caches.a.calls_per_hour: must be a number from 0 to 10^9, not -1.5",
        ),
        (
            f"{CACHE}, calls_per_hour: 1.0e+308",
            "4:37: caches.a.calls_per_hour: must be a number from 0 to 10^9, not 1e+308",
        ),
        (
            f"{CACHE}, revision: [1]",
            "4:37: caches.a.revision: must be a text or a whole number, not a list",
        ),
        (
            f"{CACHE}, ttl: 1h, expires_at: 2027-01-01T00:00:00Z",
            "4:46: caches.a.expires_at: must be left out beside ttl: a cache has one life",
        ),
        (
            f"{CACHE}, expires_at: tomorrow",
            (
                "4:37: caches.a.expires_at: must be a moment with an offset, such as "
                "2026-12-24T18:00:00Z, not 'tomorrow'"
            ),
        ),
        (
            "provider: claude, content: a, retire_after: x",
            (
                "4:37: caches.a.retire_after: must be left out: only gemini has it, "
                "claude and openai keep no cache of their own"
            ),
        ),
        (
            "provider: openai, content: a, expires_at: 2027-01-01T00:00:00Z",
            (
                "4:37: caches.a.expires_at: must be left out: only gemini has it, "
                "claude and openai keep no cache of their own"
            ),
        ),
        (
            "provider: gemini, content: []",
            "4:25: caches.a.content: is empty; it must be the path of a file, or a list of parts",
        ),
        (
            "provider: gemini, content: [3]",
            (
                "4:35: caches.a.content[0]: must be a path, or one of {file, mime_type}, "
                "{uri, mime_type} and {text}, not 3"
            ),
        ),
        (
            "provider: gemini, content: [{file: a, text: b}]",
            "4:35: caches.a.content[0]: must hold exactly one of file, uri and text",
        ),
        (
            "provider: gemini, content: [{mime_type: image/png}]",
            "4:35: caches.a.content[0]: must hold exactly one of file, uri and text",
        ),
        (
            'provider: gemini, content: [{uri: "gs://a/b"}]',
            "4:35: caches.a.content[0]: needs a mime_type beside its uri",
        ),
        (
            'provider: gemini, content: [{uri: "http://a/b", mime_type: image/png}]',
            "4:36: caches.a.content[0].uri: must be an https:// or gs:// address, not 'http://a/b'",
        ),
        (
            "provider: gemini, content: [{file: a, mime_type: pdf}]",
            (
                "4:45: caches.a.content[0].mime_type: must be a MIME type such as application/pdf, "
                "not 'pdf'"
            ),
        ),
        (
            "provider: gemini, content: [{text: a, mime_type: text/html}]",
            "4:45: caches.a.content[0].mime_type: must be left out beside text",
        ),
        (
            r'provider: gemini, content: "a\0b"',
            (
                r"4:25: caches.a.content: must be the path of a file, or a list of parts, "
                r"not 'a\x00b'"
            ),
        ),
        (
            f"{CACHE}, tools: [lookup]",
            (
                "4:45: caches.a.tools[0]: must be a tool in the provider's own keys and values, "
                "not 'lookup'"
            ),
        ),
        (
            f"{CACHE}, tool_config: 1",
            (
                "4:37: caches.a.tool_config: must be keys and values, or the path of a JSON file "
                "that holds them, not 1"
            ),
        ),
    ],
)
def test_keys_of_a_cache(keys: str, message: str) -> None:
    """What is wrong with a cache is one problem at its key."""
    text = f"version: 1\nstack: demo\ncaches:\n  a: {{{keys}}}\n"

    assert complaints(text) == [f"f:{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{stack: a}", "1:1: version: is missing; it must be 1"),
        ("{version: '1', stack: a}", "1:2: version: must be 1, not '1'"),
        (
            "{version: 2, stack: A, oh: no}",
            "1:2: version: must be 1, the only version that this ctxprov reads, not 2",
        ),
        (
            "{version: 1}",
            (
                "1:1: stack: is missing; it must be a name of at most 32 characters out of "
                "a-z, 0-9 and -, such as support-bot"
            ),
        ),
        (
            "{version: 1, stack: Bot}",
            (
                "1:14: stack: must be a name of at most 32 characters out of a-z, 0-9 and -, "
                "such as support-bot, not 'Bot'"
            ),
        ),
        (
            "{version: 1, stack: a, caches: }",
            "1:24: caches: is empty; it must be names, each with the keys of its cache below it",
        ),
        (
            "{version: 1, stack: a, cache: {}}",
            "1:24: cache: is not a key here; did you mean caches?",
        ),
        (
            "{version: 1, stack: a, whatever: {}}",
            (
                "1:24: whatever: is not a key here; there are version, stack, publish, state, "
                "limits, environments, moved, providers, defaults, caches"
            ),
        ),
        (
            "{version: 1, stack: a, state: 'ftp://bucket'}",
            (
                "1:24: state: must be a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, "
                "az://CONTAINER/PREFIX or git+branch:NAME (an https:// backend receives a "
                "credential: name it by --state or CTXPROV_STATE, never here), not 'ftp://bucket'"
            ),
        ),
        (
            "{version: 1, stack: a, publish: 'https://host/x'}",
            (
                "1:24: publish: must be a file: a path on this machine, s3://BUCKET/PREFIX/NAME, "
                "gs://BUCKET/PREFIX/NAME, az://CONTAINER/PREFIX/NAME or git+branch:BRANCH/NAME, "
                "not 'https://host/x'"
            ),
        ),
        (
            "{version: 1, stack: a, defaults: {gemini: {ttl: 1w}}}",
            "1:44: defaults.gemini.ttl: must be a duration such as 90m or 12h, not '1w'",
        ),
        (
            "{version: 1, stack: a, defaults: {claude: {keep: once}}}",
            (
                "1:44: defaults.claude.keep: must be left out: only gemini has it, "
                "claude and openai keep no cache of their own"
            ),
        ),
        (
            "{version: 1, stack: a, caches: {b: }}",
            "1:33: caches.b: is empty; it must be keys and values",
        ),
    ],
)
def test_frame_sentences(text: str, message: str) -> None:
    """What is wrong around the caches is one problem at its key."""
    assert complaints(text) == [f"f:{message}"]


@pytest.mark.parametrize("name", ["Manual", "a_b", "-a", "a" * 49, r"\e[31m", "a b", "ä", r"a\n"])
def test_names(name: str) -> None:
    """A bad name is refused, and shown so that it cannot act."""
    (complaint,) = complaints(
        f'{{version: 1, stack: a, caches: {{"{name}": {{provider: gemini, content: a}}}}}}'
    )

    assert complaint.endswith(
        "must be a name of at most 48 characters out of a-z, 0-9 and -, such as product-manual"
    )
    assert complaint.isprintable()


@pytest.mark.parametrize("name", ["a", "0", "a" * 48, "product-manual"])
def test_good_names(name: str) -> None:
    """A good name is taken."""
    assert not complaints(
        f"{{version: 1, stack: a, caches: {{{name}: {{provider: gemini, content: a}}}}}}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{version: 1}",
            "1:1: caches: is missing; it must be names, each with the keys of its cache below it",
        ),
        (
            "{version: 1, caches: {}, stack: a}",
            "1:26: stack: must be left out here: ctxprov.yaml alone holds it",
        ),
        (
            "{version: 1, caches: {}, more: a}",
            "1:26: more: is not a key here; there are version, caches",
        ),
    ],
)
def test_fragment(text: str, message: str) -> None:
    """A fragment holds version and caches and nothing else."""
    assert complaints(text, "fragment") == [f"f:{message}"]
