"""
YAML to plain values with places: the only reader of YAML.

Values are built straight from libyaml's events, because only they show duplicate keys
and positions.  Plain scalars are null, bool, int or text and nothing else; numbers with
a fraction are read only below the keys that hold numbers or JSON.  Aliases share what
they name, and a document that would explode is refused before it is walked.  What libyaml
reports of a file that is not YAML becomes a sentence that helps, at the place that helps.
What the keys mean is not decided here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from yaml import CSafeLoader
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from provisioner.documents import utf8
from provisioner.errors import ManifestError, Problem
from provisioner.manifest.source_map import (
    MAX_DEPTH,
    PathStep,
    Position,
    YamlDocument,
    YamlValue,
    shown,
    where,
)

Event: TypeAlias = Any  # libyaml's: they always have their marks, and the stubs doubt it

_FREE_COPIES = 100_000
_COPIES_PER_NODE = 10

_NUMBERS = frozenset({"calls_per_hour", "tools", "tool_config"})
"""The keys of a cache below which a fraction is a number; everywhere else it is text."""

_CONSTANTS: dict[str, YamlValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC = frozenset("0123456789+-.")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FRACTION = re.compile(
    r"[-+]?(?:(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?"
    r"|[0-9]{1,40}[eE][-+]?[0-9]{1,3})",
    re.ASCII,
)
_TAGS = frozenset({None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))})

_HELP = {
    "mapping values are not allowed in this context": (
        "a ':' stands where none is expected: check the indentation above, or put the text "
        "in quotes"
    ),
    "could not find expected ':'": "a key is not followed by ': '",
    "did not find expected key": (
        "the indentation does not fit, or a quote or bracket is missing above"
    ),
    "did not find expected ',' or ']'": "a list in brackets lacks a ',' or its ']'",
    "did not find expected ',' or '}'": "a mapping in braces lacks a ',' or its '}'",
    "did not find expected '-' indicator": "the indentation of this list does not fit",
    "found unexpected end of stream": "a quote is never closed",
    "found character that cannot start any token": (
        "this character cannot begin a value: put the text in quotes"
    ),
    "found unknown escape character": "'\\' begins an escape in \"…\": put the text in '…'",
    "block sequence entries are not allowed in this context": (
        "a list begins on a line of its own"
    ),
    "exceeded maximum nesting depth": f"nests deeper than {MAX_DEPTH} levels",
}
_OPENED = frozenset(
    {
        "did not find expected ',' or ']'",
        "did not find expected ',' or '}'",
        "found unexpected end of stream",
    }
)
"""What is better said of the place where it was opened."""

_EMPTY = "is empty; a manifest begins with 'version: 1' and 'stack: NAME'"
_EXPLODES = "aliases make this document explode: write it out"


def read_document(file: str, raw: bytes) -> YamlDocument:
    """
    Read one file; *file* is its name in problems.

    Raises ManifestError with everything that is wrong with it as YAML.
    """
    try:
        text = utf8(raw)
    except ValueError as error:
        raise ManifestError([Problem(file, 1, 1, "", str(error))]) from error
    try:
        text.decode()
        return _YamlReader(file, text).document()
    except UnicodeDecodeError as error:
        raise _at_byte(file, text, error.start, "is not UTF-8: save it as UTF-8") from error
    except ReaderError as error:
        message = "holds a control character, which YAML does not allow"
        raise _at_byte(file, text, error.position, message) from error
    except MarkedYAMLError as error:
        line, column, message = syntax_problem(text, error)
        raise ManifestError([Problem(file, line + 1, column + 1, "", message)]) from error


def syntax_problem(text: bytes, error: MarkedYAMLError) -> tuple[int, int, str]:
    """Line and column (from 0) of what is wrong with *text*, and what it is."""
    problem = error.problem or "it cannot be read"
    mark = error.context_mark if problem in _OPENED else error.problem_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    spot = lines[line] if line < len(lines) else b""
    if b"\t" in spot[: len(spot) - len(spot.lstrip())]:
        return line, column, "a tab indents this line: YAML takes spaces only"
    return line, column, _HELP.get(problem, f"is not YAML: {problem}")


def _at_byte(file: str, text: bytes, offset: int, message: str) -> ManifestError:
    before = text[:offset]
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace"))
    return ManifestError([Problem(file, before.count(b"\n") + 1, column + 1, "", message)])


class _YamlReader:
    def __init__(self, file: str, text: bytes) -> None:
        self._file = file
        self._next: Callable[[], Event] = CSafeLoader(text).get_event
        self._path: list[PathStep] = []
        self._marks: dict[int, dict[PathStep, Position]] = {}
        self._anchors: dict[str, tuple[YamlValue, int]] = {}
        self._nodes = 0
        self._copies = 0
        self._problems: list[Problem] = []

    def document(self) -> YamlDocument:
        """Read the one document there is."""
        self._next()
        start = self._next()
        if isinstance(start, StreamEndEvent):
            raise self._broken(start, _EMPTY)
        first = self._next()
        root = self._value(first, 0, numbers=False)
        if root is None:
            raise self._broken(first, _EMPTY)
        if not isinstance(root, dict):
            raise self._broken(first, f"must be keys and values, not {shown(root)}")
        while isinstance(event := self._next(), DocumentEndEvent):
            pass
        if not isinstance(event, StreamEndEvent):
            raise self._broken(event, "a manifest is one document: remove this '---'")
        if self._problems:
            raise ManifestError(self._problems)
        return YamlDocument(self._file, root, self._marks)

    def _value(self, event: Event, depth: int, *, numbers: bool) -> YamlValue:
        """Build what *event* begins; *numbers* says whether a fraction is a number."""
        if isinstance(event, AliasEvent):
            return self._alias(event)
        self._nodes += 1
        anchor = event.anchor
        if anchor is None:
            return self._built(event, depth, numbers=numbers)
        self._anchors.pop(anchor, None)
        before = self._nodes - 1 + self._copies
        value = self._built(event, depth, numbers=numbers)
        self._anchors[anchor] = value, self._nodes + self._copies - before
        return value

    def _built(self, event: Event, depth: int, *, numbers: bool) -> YamlValue:
        if event.tag not in _TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"the tag {shown(tag)} is refused: a manifest holds plain values, never code"
            raise self._broken(event, message)
        if isinstance(event, ScalarEvent):
            return _scalar(event.value, numbers=numbers) if event.implicit[0] else event.value
        if depth > MAX_DEPTH:
            raise self._broken(event, f"nests deeper than {MAX_DEPTH} levels")
        if isinstance(event, MappingStartEvent):
            return self._mapping(depth, numbers=numbers)
        return self._sequence(depth, numbers=numbers)

    def _mapping(self, depth: int, *, numbers: bool) -> dict[str, YamlValue]:
        values: dict[str, YamlValue] = {}
        marks: dict[PathStep, Position] = {}
        merged: list[dict[str, YamlValue]] = []
        self._marks[id(values)] = marks
        while not isinstance(key := self._next(), MappingEndEvent):
            name = self._key(key)
            self._path.append(name)
            inner = numbers or (name in _NUMBERS and self._is_of_cache())
            value = self._value(self._next(), depth + 1, numbers=inner)
            if name in marks:
                message = f"is given twice; the first is in line {marks[name].line + 1}"
                self._problems.append(self._problem(key.start_mark, message))
            elif name == "<<" and key.implicit[0]:
                merged += self._layers(value, key)
            else:
                values[name] = value
                marks[name] = key.start_mark
            self._path.pop()
        for layer in merged:  # own keys win, then earlier layers
            places = self._marks[id(layer)]
            for name, value in layer.items():
                if name not in values:
                    values[name] = value
                    marks[name] = places[name]
        return values

    def _is_of_cache(self) -> bool:
        """Whether the path is that of a cache's key, for all or for one environment."""
        match self._path:
            case ["caches", _, _] | ["environments", _, "caches", _, _]:
                return True
            case _:
                return False

    def _key(self, event: Event) -> str:
        if isinstance(event, ScalarEvent) and event.tag in _TAGS:
            self._nodes += 1
            return event.value
        raise self._broken(event, "a key must be plain text")

    def _sequence(self, depth: int, *, numbers: bool) -> list[YamlValue]:
        values: list[YamlValue] = []
        marks: dict[PathStep, Position] = {}
        self._marks[id(values)] = marks
        while not isinstance(event := self._next(), SequenceEndEvent):
            marks[len(values)] = event.start_mark
            self._path.append(len(values))
            values.append(self._value(event, depth + 1, numbers=numbers))
            self._path.pop()
        return values

    def _alias(self, event: Event) -> YamlValue:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            message = f"the alias {shown(event.anchor)} names nothing that is complete before it"
            raise self._broken(event, message)
        value, size = anchored
        self._copies += size
        if self._copies > _FREE_COPIES + _COPIES_PER_NODE * self._nodes:
            raise self._broken(event, _EXPLODES)
        return value

    def _layers(self, value: YamlValue, key: Event) -> list[dict[str, YamlValue]]:
        listed = value if isinstance(value, list) else [value]
        layers = [layer for layer in listed if isinstance(layer, dict)]
        if len(layers) < len(listed):
            raise self._broken(key, "'<<' takes keys and values, or a list of such")
        return layers

    def _problem(self, mark: Position, message: str) -> Problem:
        return Problem(self._file, mark.line + 1, mark.column + 1, where(self._path), message)

    def _broken(self, event: Event, message: str) -> ManifestError:
        """The rest of the file cannot be trusted: this problem, and those before it."""
        return ManifestError([*self._problems, self._problem(event.start_mark, message)])


def _scalar(text: str, *, numbers: bool) -> YamlValue:
    """Read a plain scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in _NUMERIC:
        if _INT.fullmatch(text):
            return int(text)
        if numbers and _FRACTION.fullmatch(text) and math.isfinite(number := float(text)):
            return number
    return text
