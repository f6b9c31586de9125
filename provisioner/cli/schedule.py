"""Whether a schedule fits a stack, in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from provisioner.forecast import tolerance
from provisioner.model import Desired
from provisioner.render.forecast import schedule_sentence


def schedule_of(desired: Iterable[Desired], every: timedelta) -> str:
    found = tolerance(desired)
    if found is None:
        return schedule_sentence(None, ttl=timedelta(), window=timedelta(), every=every)
    return schedule_sentence(found.name, ttl=found.ttl, window=found.window, every=every)
