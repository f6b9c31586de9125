"""
Where a stack keeps its things: state, lock, published handles, the emulator's store.

With the emulator all of them live in a folder of their own, so that a trial never
touches the record of real caches nor the handles that applications read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.manifest import Manifest

_STORE = "gemini.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The files of one stack; `store` is the emulator's, None for the real endpoint."""

    state: Path
    publish: Path | None
    store: Path | None
    tokens: Path
    """Counts that are remembered."""
    key_envs: Mapping[str, str | None]
    """For each provider that keeps caches, the variable its key is in, if it has one."""


def place_of(manifest: Manifest, *, emulator: bool) -> Place:
    home = manifest.root / (manifest.state or "state")
    publish = manifest.root / manifest.publish if manifest.publish else None
    if emulator:
        home /= "emulator"
        publish = home / publish.name if publish else None
    return Place(
        state=home / f"{manifest.stack}.json",
        publish=publish,
        store=home / _STORE if emulator else None,
        tokens=home / f"{manifest.stack}.tokens.json",
        key_envs={"gemini": None},
    )


def store_of(folder: Path, manifest: Manifest | None) -> Path:
    """The emulator's store for a folder, which need not have a manifest."""
    store = place_of(manifest, emulator=True).store if manifest else None
    return store or (folder if folder.is_dir() else folder.parent) / "state" / "emulator" / _STORE
