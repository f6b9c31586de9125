"""What is said beside the result, on standard error, made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.cli import console
from provisioner.errors import MOST_PROBLEMS, Problem
from provisioner.escape import plain


def tell_warnings(warnings: Sequence[Problem], *, most: int = MOST_PROBLEMS) -> None:
    """Print the first *most* of them; the rest is counted."""
    for warning in warnings[:most]:
        tell(f"warning: {warning}")
    if (rest := len(warnings) - most) > 0:
        hint = "; ctxprov validate shows more of them" if most < MOST_PROBLEMS else ""
        tell(f"… and {rest:,} more warnings{hint}.")


def tell(sentence: str) -> None:
    console.note(plain(sentence))
