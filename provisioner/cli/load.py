"""
A stack from its files: loaded, resolved, its warnings printed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli.checkout import checkout_around
from provisioner.cli.messages import tell_warnings
from provisioner.errors import ManifestError, Refused
from provisioner.manifest.types import Manifest
from provisioner.model.records import Desired
from provisioner.pricing.rates import Lookup
from provisioner.resolver import load_and_resolve

_MOST = 10
"""How many warnings are printed before what a command is about."""


def load_stack(
    path: Path,
    *,
    environment: str | None,
    models: Path | None,
    now: datetime,
    allow_empty: bool,
    begun: Callable[[Manifest], None] = lambda _: None,
) -> tuple[Manifest, tuple[Desired, ...]]:
    """
    Load and resolve a stack; one that declares nothing must be meant.

    Prints the first of its warnings.  Calls *begun* before content is read.

    Raises `ManifestError` with every problem, and `Refused`.
    """
    manifest, resolution = load_and_resolve(
        path,
        load_catalog(models),
        environment=environment,
        checkout=checkout_around(path),
        now=now,
        begun=begun,
    )
    tell_warnings(resolution.warnings, most=_MOST)
    if not manifest.caches and not allow_empty:
        raise Refused(
            f"{manifest.path} declares no cache, so apply would retire all on record. "
            "To proceed, add --allow-empty; to delete all at once, run ctxprov destroy."
        )
    return manifest, resolution.desired


def prices_or_ours(models: Path | None) -> Lookup:
    """Those of the file *models*, or what ctxprov ships if that cannot be read."""
    try:
        return load_catalog(models).find
    except ManifestError:
        return load_catalog().find
