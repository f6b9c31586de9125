"""
One manifest, several environments: which one is meant, and what it changes.

An environment is an overlay that wins key by key.  It is a stack of its own in all that
outlasts a run: its name is part of the namespace, of the state's and of the handles' file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from posixpath import normpath
from typing import Any

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.overlays import Layer, layer_at
from provisioner.manifest.source_map import Document, Place, shown

_KEY = "environments"
MOST = 100
"""Environments of a stack, as the schema says; commands go through all of them."""


def names_in(main: Document) -> tuple[str, ...]:
    """The environments that are declared, in their order; of too many, one too many."""
    declared = main.root.get(_KEY)
    return tuple(islice(declared, MOST + 1)) if isinstance(declared, dict) else ()


def overlay_of(main: Document, environment: str | None) -> Layer | None:
    """
    What *environment* changes; None if there are no environments.

    Raises ManifestError unless exactly one is meant.
    """
    known = names_in(main)
    if environment is None and not known:
        return None
    if environment in known:
        place = Place(main, (_KEY, environment))
        return layer_at(place) or Layer({}, place)
    raise ManifestError([_unmet(main, environment, known)])


def published(words: Mapping[str, Any], environment: str | None) -> str | None:
    """Where the handles of *environment* go: where it says, or where the stack does, beside."""
    path: str | None = words.get("publish")
    if environment is None:
        return path
    own: str | None = (words[_KEY][environment] or {}).get("publish")
    if own or path is None:
        return own
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    name = f"{stem}.{environment}{dot}{suffix}" if stem else f"{name}.{environment}"
    return f"{folder}{slash}{name}"


def shared_files(main: Document) -> Iterator[Problem]:
    """Environments whose handles would overwrite another's."""
    first: dict[str, str] = {}
    for name in names_in(main):
        path = published(main.root, name)
        if path is None:
            continue
        if (other := first.setdefault(normpath(path), name)) != name:
            message = f"is the file of {other} as well: give each environment its own"
            yield main.problem((_KEY, name, "publish"), message)


def _unmet(main: Document, environment: str | None, known: tuple[str, ...]) -> Problem:
    listed = ", ".join(known)
    if environment is None:
        message = f"choose one with --env or CTXPROV_ENV: there are {listed}"
        return main.problem((_KEY,), message)
    if not known:
        return main.problem((), f"has no environments, so there is no {shown(environment)}")
    close = get_close_matches(environment, known, 1)
    guess = f"did you mean {close[0]}? There are" if close else "there are"
    return main.problem((_KEY,), f"has no {shown(environment)}; {guess} {listed}")
