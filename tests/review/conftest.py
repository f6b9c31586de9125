"""The stages of the command line, by way of which reviews are tested."""

from __future__ import annotations

from tests.cli.conftest import address, applied, fileless, forge, hub, lab, stage

__all__ = ["address", "applied", "fileless", "forge", "hub", "lab", "stage"]
