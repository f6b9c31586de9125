"""
The part of a plan that the command line names: a name that matches nothing is wrong usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from provisioner.model import Desired, Plan


def check_names(names: Iterable[str], desired: Iterable[Desired]) -> None:
    """A name that matches nothing is wrong usage, not an empty wish."""
    unknown = set(names) - {want.name for want in desired}
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise click.BadParameter(f"no such cache in this stack: {listed}", param_hint="--replace")


def choose(plan: Plan, targets: Sequence[str], excludes: Sequence[str]) -> Plan:
    """The part of *plan* that is asked for; a pattern that matches nothing is wrong usage."""
    if not (targets or excludes):
        return plan
    from provisioner.planner.selection import select, unmatched  # noqa: PLC0415  # for a part

    for option, patterns in (("--target", targets), ("--exclude", excludes)):
        if wrong := unmatched(plan, patterns):
            listed = ", ".join(wrong)
            raise click.BadParameter(f"nothing in the plan matches {listed}", param_hint=option)
    return select(plan, targets=targets, excludes=excludes)
