"""
Which providers there are: three by type, and those that the manifest names.

A name stands for a project, known by the key that opens it.  The manifest says in which
variable the key is and can name no variable that could hold another secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from provisioner.errors import Problem
from provisioner.manifest.overlays import Layer, merged
from provisioner.manifest.source_map import shown

KINDS = ("gemini", "claude", "openai")


def key_envs(said: Sequence[Layer], problems: list[Problem]) -> Mapping[str, str | None]:
    """For each provider that keeps caches, the variable that is said to hold its key."""
    found: dict[str, str | None] = {"gemini": None}
    first: dict[str | None, str] = {}
    for name, layers in _named(said).items():
        keys = merged(layers)
        place = layers[0].place
        if "type" not in keys:
            problems.append((place / "type").problem("is missing; it must be gemini"))
        variable: str | None = keys.get("key_env")
        if first.setdefault(variable, name) != name:
            message = f"has the same key as {first[variable]}: two names for one project"
            problems.append((place / "key_env").problem(message))
        found[name] = variable
    return MappingProxyType(found)


def unknown_sections(said: Sequence[Layer], known: Mapping[str, Any]) -> Iterator[Problem]:
    """Complain of defaults for a provider that is none."""
    for layer in said:
        for section in layer.keys:
            if wrong := unknown(section, known):
                yield (layer.place / section).problem(wrong)


def unknown(provider: str, known: Mapping[str, Any]) -> str | None:
    """What is wrong with a *provider* that is none."""
    if provider in KINDS or provider in known:
        return None
    names = list(dict.fromkeys((*KINDS, *known)))
    close = get_close_matches(provider, names, 1)
    guess = f"; did you mean {close[0]}?" if close else ""
    return f"must be {', '.join(names[:-1])} or {names[-1]}, not {shown(provider)}{guess}"


def kind_of(provider: str) -> str:
    """The type of a known provider: every name that is not a type's is a gemini project's."""
    return provider if provider in KINDS else "gemini"


def _named(said: Sequence[Layer]) -> dict[str, list[Layer]]:
    """What is said of each, the nearest first, in the order of the stack."""
    found: dict[str, list[Layer]] = {}
    for layer in reversed(said):
        for name, keys in layer.keys.items():
            found.setdefault(name, []).insert(0, Layer(keys, layer.place / name))
    return found
