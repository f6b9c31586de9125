"""
Tools and their configuration: JSON of a file, or as it stands in the manifest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

from provisioner.cache import Json
from provisioner.manifest import MAX_DEPTH, FileSpec, Folder, InlineJson, Unreadable, shown
from provisioner.resolver.file_content import read_text


def tools_of(folder: Folder, spec: FileSpec | InlineJson) -> tuple[Mapping[str, Json], ...]:
    """Read a list of tools.  Raises `Unreadable`."""
    tools = _json(folder, spec)
    if isinstance(tools, list):
        mappings = tuple(tool for tool in tools if isinstance(tool, Mapping))
        if len(mappings) == len(tools):
            return mappings
    raise Unreadable("must hold a list of tools, each in the provider's own keys and values")


def tool_config_of(folder: Folder, spec: FileSpec | InlineJson) -> Mapping[str, Json]:
    """Read how tools are called.  Raises `Unreadable`."""
    config = _json(folder, spec)
    if isinstance(config, Mapping):
        return config
    raise Unreadable("must hold keys and values in the provider's own form")


def size_of(*values: Json) -> int:
    """About how many characters of a prompt this JSON comes to."""
    return sum([len(json.dumps(value, ensure_ascii=False)) for value in values if value])


def _json(folder: Folder, spec: FileSpec | InlineJson) -> Json:
    match spec:
        case InlineJson(value):
            return value
        case FileSpec(path):
            return _parsed(read_text(folder, path))


def _parsed(raw: bytes) -> Json:
    try:
        value: Json = json.loads(
            raw, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse
        )
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        message = f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise Unreadable(message) from error
    except RecursionError as error:
        raise Unreadable(_TOO_DEEP) from error
    except ValueError as error:
        raise Unreadable(f"is not JSON: {error}") from error
    if _deeper_than(value, MAX_DEPTH):
        raise Unreadable(_TOO_DEEP)
    return value


_TOO_DEEP = f"nests deeper than {MAX_DEPTH} levels"


def _unique(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return mapping


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        raise ValueError(f"the number {shown(word)} is too large")
    return number


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _deeper_than(value: Json, most: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_deeper_than(item, most - 1) for item in inner)
