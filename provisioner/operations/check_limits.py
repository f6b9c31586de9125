"""
The limits of a stack, held against its plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from provisioner.errors import Refused
from provisioner.limits import breaches_of_any, excused
from provisioner.manifest.types import Manifest
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import Breach, StackSettings
from provisioner.operations.ports import Console
from provisioner.pricing.rates import Lookup
from provisioner.view.limits import breach_text, way_out


def beyond(
    plan: Plan,
    manifest: Manifest,
    before: StackSettings | None,
    *,
    prices: Lookup,
    overrides: Collection[str],
) -> tuple[Breach, ...]:
    """
    What of *plan* goes beyond the limits of *manifest* or those *before* it.

    Nothing in *overrides* refuses.
    """
    several = [manifest.limits, *([before.limits] if before else [])]
    exceeded = breaches_of_any(plan, several, prices)
    return excused(exceeded, overrides)


def hold(console: Console, exceeded: Iterable[Breach]) -> None:
    """Warn of what goes beyond a limit.  Raises Refused if a limit refuses any of it."""
    refused = []
    for breach in exceeded:
        if breach.refuses:
            refused.append(breach)
        else:
            console.warn(breach_text(breach))
    if refused:
        sentences = map(breach_text, refused)
        raise Refused(
            " ".join(
                [*sentences, way_out(breach.limit for breach in refused), "Nothing was changed."]
            )
        )
