"""Waiting for another run: counted down, so that nobody wonders what hangs."""

from __future__ import annotations

import math
import sys
from datetime import timedelta

from provisioner.cli import clock, console
from provisioner.escape import plain
from provisioner.storage import OnWait
from provisioner.storage.lock_owner import LockOwner
from provisioner.times import moment_text


def waiting() -> OnWait:
    """A line that moves on a terminal; elsewhere it is said once."""
    told: list[int] = []

    def on_wait(owner: LockOwner | None, remaining: timedelta) -> None:
        seconds = math.ceil(remaining.total_seconds())
        moves = console.is_terminal(sys.stderr)
        if told and (told[-1] == seconds or not moves):
            return
        told.append(seconds)
        who = plain(str(owner)) if owner else "another run"
        ending = "\r" if moves else "\n"
        text = f"Waiting up to {seconds}s for {who}{_why(owner)} ...{ending}"
        console.progress(text, aside=True)

    return on_wait


def _why(owner: LockOwner | None) -> str:
    """Why a lock that looks dead is watched, and not taken at once."""
    if owner is None or owner.until is None or clock.now() < owner.until:
        return ""
    until = moment_text(owner.until.replace(microsecond=0))
    return f"; its lock ran out at {until} and is taken over if no renewal shows that it lives"
