"""The error tree."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from msgspec.structs import replace

from provisioner import errors
from provisioner.cache import CacheHandle, ClaudeHandle, GeminiHandle, OpenAIHandle
from provisioner.errors import (
    CacheCreationFailed,
    CacheError,
    CacheExpired,
    CacheNotFound,
    CtxprovError,
    InvalidCacheConfiguration,
    ManifestError,
    NetworkError,
    ParseError,
    Problem,
    ProviderNotSupported,
    RequestRefused,
)

ABC = GeminiHandle("cachedContents/abc")
SAID = {
    "message": "why",
    "reason": "why",
    "provider": "gemini",
    "handle": ABC,
    "problems": [Problem("a.yaml", 1, 5, "caches.a.ttl", "not a duration")],
    "content": b"{}",
    "status": 403,
    "words": "no",
    "retryable": True,
}
"""What an error is made of, by the name of the parameter."""
KINDS = [
    kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CtxprovError) and not name.startswith("_")
]


def _tree(kind: type[CtxprovError]) -> set[tuple[str, str]]:
    """Every (class, parent) below *kind* that has a public name."""
    found = set()
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found |= _tree(child)
            if not child.__name__.startswith("_"):
                parent = next(base for base in child.__mro__[1:] if base.__name__[0] != "_")
                found.add((child.__name__, parent.__name__))
    return found


def _drawn() -> set[tuple[str, str]]:
    """Every (class, parent) in the module's docstring, by its indentation."""
    above: dict[int, str] = {}
    found = set()
    for indent, name in re.findall(r"^( *)[*+\-·] (\w+)", errors.__doc__ or "", re.MULTILINE):
        above[len(indent)] = name
        if indent:
            found.add((name, above[len(indent) - 2]))
    return found


def test_the_tree_is_as_drawn() -> None:
    """The docstring draws every error there is, below its parent."""
    assert _tree(CtxprovError) == _drawn()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CacheCreationFailed("gemini", "no quota"), "gemini did not create the cache: no quota"),
        (CacheExpired(ABC), "cachedContents/abc has expired"),
        (CacheNotFound(ABC), "cachedContents/abc does not exist (or this key may not see it)"),
        (InvalidCacheConfiguration("too small"), "too small"),
        (ProviderNotSupported("claude"), "claude keeps no cache that could be asked for"),
        (NetworkError("no answer"), "no answer"),
        (ParseError("no sense"), "no sense"),
    ],
)
def test_sentences(error: CacheError, sentence: str) -> None:
    """Every error says what happened; nothing is retryable unless its caller says so."""
    assert str(error) == sentence
    assert (error.status, error.words, error.retryable) == (None, None, False)


def test_what_the_server_said() -> None:
    """An error of any class carries the server's status and message."""
    said = {"status": 403, "words": "no"}
    found = [
        CacheCreationFailed("gemini", "x", status=403, words="no", retryable=True),
        CacheExpired(ABC, status=403, words="no"),
        CacheNotFound(ABC, status=403, words="no"),
        InvalidCacheConfiguration("x", status=403, words="no"),
        RequestRefused("x", status=403, words="no", retryable=True),
    ]

    assert [{"status": error.status, "words": error.words} for error in found] == [said] * 5
    assert [error.retryable for error in found] == [True, False, False, False, True]


def test_what_errors_are_about() -> None:
    """An error carries what it is about."""
    assert CacheExpired(ABC).handle is ABC
    failed = CacheCreationFailed("gemini", "no quota")
    assert (failed.provider, failed.reason) == ("gemini", "no quota")
    assert InvalidCacheConfiguration("too small").reason == "too small"


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        (ABC, "cachedContents/abc"),
        (ClaudeHandle({"type": "ephemeral", "ttl": "5m"}), "the claude annotation"),
        (OpenAIHandle(), "the openai annotation"),
    ],
)
def test_names_in_sentences(handle: CacheHandle, name: str) -> None:
    """Every handle can be spoken of."""
    assert errors.name_of(handle) == name


def test_all_problems_at_once() -> None:
    """A manifest's problems come together, sorted, each once, with how many caches it is of."""
    later = Problem("b.yaml", 2, 1, "", "no model")
    sooner = Problem("b.yaml", 1, 5, "caches.a.ttl", "not a duration")
    error = ManifestError([later, sooner, later])

    assert error.problems == (sooner, replace(later, note="2 caches"))
    assert ManifestError(error.problems).problems == error.problems
    assert str(error) == (
        "b.yaml:1:5: caches.a.ttl: not a duration\nb.yaml:2:1: no model (2 caches)"
    )


def test_every_error_says_why_it_is_there() -> None:
    """Each class has a docstring of its own."""
    for kind in KINDS:
        assert kind.__doc__, kind.__name__


def _raised(kind: type[CtxprovError]) -> CtxprovError:
    """An error of *kind* in which all is said that can be."""
    names = inspect.signature(kind.__init__).parameters
    said = {name: SAID[name] for name in names if name in SAID}
    return kind(**said) if said else kind("why")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_errors_travel(kind: type[CtxprovError]) -> None:
    """An error that another process raised, or a copy of one, says and carries the same."""
    error = _raised(kind)
    error.add_note("on the way")

    sent = pickle.dumps(error)
    for other in (pickle.loads(sent), copy.copy(error)):  # noqa: S301 - our own
        assert type(other) is kind
        assert (str(other), other.args) == (str(error), error.args)
        assert vars(other) == vars(error)
