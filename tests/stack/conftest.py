"""The stage of the command line, on which a program loads its stack."""

from __future__ import annotations

from tests.cli.conftest import stage

__all__ = ["stage"]
