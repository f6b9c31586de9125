"""
How each change of a plan ended.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from provisioner.errors import CtxprovError
from provisioner.model.changes import Change


class Done(Struct, frozen=True):
    """It is so."""


class Failed(Struct, frozen=True):
    """It is not so, or not wholly; the next run tries again."""

    error: CtxprovError


class NotAttempted(Struct, frozen=True):
    """It was never begun, or not carried to its end, for a reason that lies elsewhere."""

    why: str
    refused: bool = False
    """Whether a safeguard held it back, so that nothing failed."""


Outcome: TypeAlias = Done | Failed | NotAttempted


class Result(Struct, frozen=True):
    """How *change* ended."""

    change: Change
    outcome: Outcome
