"""
How each change of a plan ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from provisioner.errors import CtxprovError
from provisioner.model.changes import Change


@dataclass(frozen=True, slots=True)
class Done:
    """It is so."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not so, or not wholly; the next run tries again."""

    error: CtxprovError


@dataclass(frozen=True, slots=True)
class NotAttempted:
    """It was never begun, or not carried to its end, for a reason that lies elsewhere."""

    why: str


Outcome: TypeAlias = Done | Failed | NotAttempted


@dataclass(frozen=True, slots=True)
class Result:
    """How *change* ended."""

    change: Change
    outcome: Outcome
