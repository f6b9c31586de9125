"""
A file of the manifest as plain values that remember where they stood.

This is the one place that turns a key into `file:line:column`.  It does not know what
any key means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import Problem

YamlValue: TypeAlias = "bool | int | float | str | list[YamlValue] | dict[str, YamlValue] | None"
PathStep: TypeAlias = str | int
MAX_DEPTH = 60
"""How deep values may nest, in YAML and in JSON alike."""

_PLAIN = re.compile(r"[A-Za-z0-9_{}-]+", re.ASCII)


class Position(Protocol):
    """A position; both count from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class YamlDocument(Struct, frozen=True):
    """One file: its name as the user spells it, its values, and where their keys stand."""

    file: str
    root: dict[str, YamlValue]
    marks: Mapping[int, Mapping[PathStep, Position]]
    """By the identity of a mapping or list, by key or index."""

    def problem(self, path: Sequence[PathStep], message: str) -> Problem:
        """Say *message* of the key at *path*, or of the nearest one above that is there."""
        line, column = self._position(path)
        return Problem(self.file, line, column, where(path), message)

    def address(self, path: Sequence[PathStep]) -> str:
        """Spell where the key at *path* stands: `file:line:column`."""
        line, column = self._position(path)
        return f"{self.file}:{line}:{column}"

    def has(self, path: Sequence[PathStep]) -> bool:
        return len(self._positions_along(path)) == len(path)

    def _position(self, path: Sequence[PathStep]) -> tuple[int, int]:
        marks = self._positions_along(path)
        return (marks[-1].line + 1, marks[-1].column + 1) if marks else (1, 1)

    def _positions_along(self, path: Sequence[PathStep]) -> list[Position]:
        """The marks along *path*, as far as it is there."""
        value: YamlValue = self.root
        marks: list[Position] = []
        for step in path:
            mark = self.marks.get(id(value), {}).get(step)
            if mark is None:
                break
            marks.append(mark)
            value = value[step]  # type: ignore[index]  # its mark says it fits
        return marks


class Place(Struct, frozen=True):
    """A key of a document, of which a later check may complain."""

    document: YamlDocument
    path: tuple[PathStep, ...]
    match: str = ""
    """Which file or folder it is about, where one key speaks for many."""

    def __truediv__(self, step: PathStep) -> Place:
        return Place(self.document, (*self.path, step), self.match)

    def about(self, match: str) -> Place:
        """The same key, where it speaks for the file or folder *match*."""
        return Place(self.document, self.path, match)

    @property
    def note(self) -> str:
        """The match as text: whole, because paths that begin alike may stand side by side."""
        return f"each: {self.match!r}" if self.match else ""

    @property
    def address(self) -> str:
        """`file:line:column`."""
        address = self.document.address(self.path)
        return f"{address} ({self.note})" if self.note else address

    def has(self, key: str) -> bool:
        return self.document.has((*self.path, key))

    def problem(self, message: str) -> Problem:
        return replace(self.document.problem(self.path, message), note=self.note)


def where(path: Sequence[PathStep]) -> str:
    """Spell a path as people do: `caches.manual.content[2]`; odd keys are quoted."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path]
    return "".join(steps).removeprefix(".")


def _key(step: str) -> str:
    return step if _PLAIN.fullmatch(step) else shown(step)


def did_you_mean(value: YamlValue, choices: Sequence[str]) -> str:
    """Guess which of *choices* was meant, as the end of a sentence, or as nothing."""
    from difflib import get_close_matches  # noqa: PLC0415  # only what is wrong needs it

    close = get_close_matches(value.lower(), choices, 1) if isinstance(value, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: YamlValue) -> str:
    """Name a value in a sentence: short, on one line, with nothing that could act."""
    match value:
        case str():
            return repr(value if len(value) <= 60 else f"{value[:59]}…")  # noqa: PLR2004  # a line
        case bool():
            return "true" if value else "false"
        case None:
            return "nothing"
        case dict():
            return "keys and values"
        case list():
            return "a list"
        case _:
            return str(value)
