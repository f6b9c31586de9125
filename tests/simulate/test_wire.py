"""Requests, moments and contents as they cross a simulated network."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.times import parse_moment
from tests.simulate import cache_body, fate, log, provider, stores, wire
from tests.simulate.fate import Verb
from tests.simulate.log import EPOCH
from tests.simulate.wire import (
    WireRequest,
    nanoseconds,
    provider_call,
    server_call,
    spell_content,
    spell_moment,
    virtual_seconds,
)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "/v1beta/cachedContents", (Verb.CREATE, "")),
        ("GET", "/v1beta/cachedContents", (Verb.LIST, "")),
        ("GET", "/v1beta/cachedContents/abc", (Verb.GET, "abc")),
        ("PATCH", "/v1beta/cachedContents/abc", (Verb.PATCH, "abc")),
        ("DELETE", "/v1beta/cachedContents/abc", (Verb.DELETE, "abc")),
        ("POST", "/v1beta/models/gemini-3.8-flash:countTokens", (Verb.COUNT, "")),
    ],
)
def test_a_request_to_the_provider_has_a_verb(
    method: str, path: str, call: tuple[Verb, str]
) -> None:
    """Method and path say what is asked, and of which cache."""
    assert provider_call(WireRequest(method=method, path=path)) == call


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/base/demo", (Verb.READ, "base/demo")),
        ("POST", "/base/demo", (Verb.WRITE, "base/demo")),
        ("DELETE", "/base/demo", (Verb.REMOVE, "base/demo")),
        ("LOCK", "/base/demo", (Verb.LOCK, "base/demo")),
        ("UNLOCK", "/base/demo", (Verb.UNLOCK, "base/demo")),
        ("POST", "/base/demo/lock", (Verb.LOCK, "base/demo")),
        ("DELETE", "/base/demo/lock", (Verb.UNLOCK, "base/demo")),
    ],
)
def test_a_request_to_a_server_of_states_has_a_verb(
    method: str, path: str, call: tuple[Verb, str]
) -> None:
    """A lock is asked for by a method of its own, or one level below the state."""
    assert server_call(WireRequest(method=method, path=path)) == call


@given(seconds=st.floats(min_value=0, max_value=10_000_000))
def test_virtual_seconds_come_back(seconds: float) -> None:
    """A moment keeps its nanosecond on the wire, and its microsecond in ctxprov's reading."""
    moment = nanoseconds(seconds)
    assert virtual_seconds(moment) == pytest.approx(seconds, abs=1e-6)
    read = (parse_moment(spell_moment(moment)) - EPOCH).total_seconds()
    assert read == pytest.approx(seconds, abs=2e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "2027-01-20T12:00:00Z"),
        (0.5, "2027-01-20T12:00:00.500Z"),
        (86_400.000001, "2027-01-21T12:00:00.000001Z"),
    ],
)
def test_a_moment_has_as_few_digits_as_it_needs(seconds: float, text: str) -> None:
    """No digits, three, six or nine stand behind the second."""
    assert spell_moment(nanoseconds(seconds)) == text


def test_one_text_is_the_content() -> None:
    """Further parts and an instruction stand below lines that part them."""
    assert spell_content(["one"]) == "one"
    assert spell_content(["one", "two"], "be brief") == "one\n---\ntwo\n===\nbe brief"


@pytest.mark.parametrize("module", [cache_body, fate, log, provider, stores, wire])
def test_a_model_knows_nothing_of_what_it_meets(module: ModuleType) -> None:
    """No model imports `provisioner`, so a mistake in there is none in here."""
    tree = ast.parse(Path(module.__file__ or "").read_text())
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    ]
    assert [name for name in names if name.startswith("provisioner")] == []
