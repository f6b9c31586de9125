"""Prices for what must go on when there are none."""

from __future__ import annotations

from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.errors import ManifestError
from provisioner.pricing import Lookup


def prices_or_ours(models: Path | None) -> Lookup:
    """Those of the file *models*, or what ctxprov ships if that cannot be read."""
    try:
        return load_catalog(models).find
    except ManifestError:
        return load_catalog().find
