"""Stacks on disk: a manifest and its files, as few words as a test can do with."""

from __future__ import annotations

from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.errors import ManifestError
from provisioner.manifest import load_manifest
from provisioner.manifest.types import Manifest
from provisioner.resolver import Resolution, load_and_resolve
from tests.builders import NOW

HEAD = "version: 1\nstack: demo\n"
FLASH = "provider: gemini, model: gemini-3.8-flash, ttl: 12h"

CATALOG = load_catalog()


def write(root: Path, manifest: str, files: dict[str, str | bytes] | None = None) -> Path:
    """Put *manifest* and *files*, by path, into *root*; fragments are files like others."""
    for name, content in {"ctxprov.yaml": manifest, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def stack(root: Path, *caches: str, files: dict[str, str | bytes] | None = None) -> Path:
    """Write a stack of *caches*, each `name: {…}`."""
    lines = "".join(f"  {cache}\n" for cache in caches)
    return write(root, f"{HEAD}caches:\n{lines}" if lines else f"{HEAD}caches: {{}}\n", files)


def loaded(root: Path, *caches: str) -> Manifest:
    """The manifest of *caches*, read back."""
    return load_manifest(stack(root, *caches))


def resolved(root: Path, *caches: str, files: dict[str, str | bytes] | None = None) -> Resolution:
    """What *caches* resolve to."""
    return load_and_resolve(stack(root, *caches, files=files), CATALOG, now=NOW)[1]


def complaints(root: Path, *, content: bool = False) -> list[str]:
    """What is wrong with the stack in *root*, its files spelled relative to it."""
    try:
        if content:
            load_and_resolve(root, CATALOG, now=NOW)
        else:
            load_manifest(root)
    except ManifestError as error:
        return [str(problem).removeprefix(f"{root}/") for problem in error.problems]
    return []
