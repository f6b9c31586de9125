"""
The limits of a stack, held against its plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli.messages import tell
from provisioner.errors import Refused
from provisioner.limits import breaches_of_any, excused
from provisioner.manifest import Manifest
from provisioner.model import Plan, StackSettings
from provisioner.model.limits import Breach
from provisioner.view.limits import breach_text, way_out


def beyond(
    told: Plan,
    manifest: Manifest,
    before: StackSettings | None,
    *,
    models: Path | None,
    overrides: Collection[str],
) -> tuple[Breach, ...]:
    """
    What of *told* goes beyond the limits of *manifest* or those *before* it.

    Nothing in *overrides* refuses.
    """
    several = [manifest.limits, *([before.limits] if before else [])]
    found = breaches_of_any(told, several, load_catalog(models).find)
    return excused(found, overrides)


def hold(found: Iterable[Breach]) -> None:
    """Tell what goes beyond a limit.  Raises Refused if any of it is refused."""
    refused = []
    for breach in found:
        if breach.refuses:
            refused.append(breach)
        else:
            tell(f"warning: {breach_text(breach)}")
    if refused:
        sentences = map(breach_text, refused)
        raise Refused(
            " ".join(
                [*sentences, way_out(breach.limit for breach in refused), "Nothing was changed."]
            )
        )
