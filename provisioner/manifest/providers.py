"""
Which providers there are: three by type, and those that the manifest names.

A name stands for a project, which the key that opens it identifies.  The manifest says in which
variable the key is and can name no variable that could hold another secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from provisioner.errors import Problem
from provisioner.manifest.overlays import Layer, Layers, merged
from provisioner.manifest.source_map import did_you_mean, shown

KINDS = ("gemini", "claude", "openai")


def key_envs(sections: Layers, problems: list[Problem]) -> Mapping[str, str | None]:
    """For each provider that keeps caches, the variable that holds its key, if *sections* say."""
    variables: dict[str, str | None] = {"gemini": None}
    first: dict[str | None, str] = {}
    for name, layers in _by_name(sections).items():
        keys = merged(layers)
        place = layers[0].place
        if "type" not in keys:
            problems.append((place / "type").problem("is missing; it must be gemini"))
        variable: str | None = keys.get("key_env")
        if first.setdefault(variable, name) != name:
            message = f"has the same key as {first[variable]}: two names for one project"
            problems.append((place / "key_env").problem(message))
        variables[name] = variable
    return MappingProxyType(variables)


def unknown_sections(defaults: Layers, providers: Mapping[str, Any]) -> Iterator[Problem]:
    """Complain of defaults for a provider that is none."""
    for layer in defaults:
        for section in layer.keys:
            if wrong := unknown(section, providers):
                yield (layer.place / section).problem(wrong)


def unknown(provider: str, providers: Mapping[str, Any]) -> str | None:
    """What is wrong with a *provider* that is neither a type nor among the named *providers*."""
    if provider in KINDS or provider in providers:
        return None
    names = list(dict.fromkeys((*KINDS, *providers)))
    guess = did_you_mean(provider, names)
    return f"must be {', '.join(names[:-1])} or {names[-1]}, not {shown(provider)}{guess}"


def kind_of(provider: str) -> str:
    """The type of a provider: every name that is not a type's is a gemini project's."""
    return provider if provider in KINDS else "gemini"


def _by_name(sections: Layers) -> dict[str, list[Layer]]:
    """The layers of each provider, the nearest first, in the order of the stack."""
    layers: dict[str, list[Layer]] = {}
    for section in reversed(sections):
        for name, keys in section.keys.items():
            layers.setdefault(name, []).insert(0, Layer(keys, section.place / name))
    return layers
