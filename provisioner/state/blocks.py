"""
JSON blocks as values: every field has a type, and one that has not says where it is.

Knows neither caches nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from re import Pattern
from typing import Self, TypeAlias, TypeVar

from provisioner.cache import Json
from provisioner.times import parse_duration, parse_moment

Block: TypeAlias = Mapping[str, Json]
T = TypeVar("T")

_LARGEST = 2**53
"""Beyond it not every reader of JSON keeps a whole number as it is."""


class Misshapen(ValueError):
    """A value that is not what it should be; `where` is its path, `caches.manual.life`."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where = where
        self.why = why

    def under(self, key: str) -> Self:
        return type(self)(f"{key}.{self.where}" if self.where else key, self.why)


class UnknownKey(Misshapen):
    """A key that this version does not know, so that a newer one has written it."""


def block(json: Json, keys: frozenset[str]) -> Block:
    """Take a JSON object that has exactly *keys*."""
    if not isinstance(json, dict):
        raise Misshapen("", "this must be an object")
    if json.keys() != keys:
        for key in sorted(keys - json.keys()):
            raise Misshapen(key, "this is missing")
        raise UnknownKey(min(json.keys() - keys), "this key is unknown")
    return json


def no_more(json: Json, read: Json) -> None:
    """Raise UnknownKey if *json* has a key, at any depth, that what was *read* of it has not."""
    if isinstance(json, dict) and isinstance(read, Mapping):
        for key, value in json.items():
            if key not in read:
                raise UnknownKey(key, "this key is unknown")
            try:
                no_more(value, read[key])
            except UnknownKey as wrong:
                raise wrong.under(key) from wrong


def each(block: Block, key: str, read: Callable[[str, Json], T]) -> dict[str, T]:
    """Read the object under *key*, value by value."""
    blocks = block[key]
    if not isinstance(blocks, dict):
        raise Misshapen(key, "this must be an object")
    found = {}
    for name, json in blocks.items():
        try:
            found[name] = read(name, json)
        except Misshapen as wrong:
            raise wrong.under(name).under(key) from wrong
    return found


def maybe(block: Block, key: str, read: Callable[[Json], T]) -> T | None:
    """Read the value under *key*, unless it is null."""
    try:
        return None if block[key] is None else read(block[key])
    except Misshapen as wrong:
        raise wrong.under(key) from wrong


def text(block: Block, key: str) -> str:
    value = block[key]
    if isinstance(value, str) and value:
        return value
    raise Misshapen(key, "this must be text")


def text_like(block: Block, key: str, pattern: Pattern[str]) -> str:
    value = block[key]
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise Misshapen(key, f"this must look like {pattern.pattern}")


def texts(block: Block, key: str) -> tuple[str, ...]:
    value = block[key]
    if isinstance(value, list) and {str}.issuperset(map(type, value)):
        return tuple(value)
    raise Misshapen(key, "this must be a list of texts")


def count(block: Block, key: str) -> int:
    value = block[key]
    if type(value) is int and 0 <= value <= _LARGEST:  # True is an int, but no count
        return value
    raise Misshapen(key, "this must be a whole number from 0 to 2^53")


def moment(block: Block, key: str) -> datetime:
    return spelled(block, key, parse_moment)


def span(block: Block, key: str) -> timedelta:
    return spelled(block, key, parse_duration)


def spelled(block: Block, key: str, read: Callable[[str], T]) -> T:
    """Read the text under *key* by a function that raises ValueError."""
    value = block[key]
    if not isinstance(value, str):
        raise Misshapen(key, "this must be text")
    try:
        return read(value)
    except ValueError as error:
        raise Misshapen(key, str(error)) from error
