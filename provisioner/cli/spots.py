"""Where each name of a stack is declared, by paths from the top of what was checked out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from provisioner.environment import process_environment
from provisioner.errors import Problem
from provisioner.manifest import Manifest

Spots: TypeAlias = Mapping[str, Problem]
"""The places of problems, by name; what they say does not count."""
Spotter: TypeAlias = Callable[[], Spots]
"""Asked only if somebody wants to know: to find a place takes time."""


def nowhere() -> Spots:
    return {}


def spots_of(manifest: Manifest) -> Spotter:
    def spots() -> Spots:
        return {name: here(entry.places[0].problem("")) for name, entry in manifest.caches.items()}

    return spots


def here(spot: Problem) -> Problem:
    """The same place by its path from the top of the checkout."""
    top = process_environment().get("GITHUB_WORKSPACE") or os.getcwd()  # noqa: PTH109  # a text is wanted
    return replace(spot, file=os.path.relpath(spot.file, top).replace(os.sep, "/"))
