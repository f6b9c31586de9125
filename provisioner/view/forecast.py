"""What a schedule will do with a stack, as values; how they come about is not decided here."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from provisioner.model.money import UNSPENT, Spent


class Outlook(Struct, frozen=True, kw_only=True):
    """What becomes of one cache."""

    name: str
    refreshes: int
    creations: int
    """Besides the first."""
    cold: timedelta
    """How long no application can use it."""
    spent: Spent


class Tolerance(Struct, frozen=True, kw_only=True):
    """How a schedule fits the cache that needs it most."""

    name: str
    ttl: timedelta
    window: timedelta
    """Between two runs no more time may pass, or the cache can go cold."""


class Forecast(Struct, frozen=True, kw_only=True):
    """What becomes of a stack."""

    stack: str
    every: timedelta
    """Between two runs."""
    runs: int
    missed: int
    tightest: Tolerance | None
    """Of the cache with the shortest window; None if nothing is kept warm."""
    outlooks: tuple[Outlook, ...]

    @property
    def spent(self) -> Spent:
        return sum((outlook.spent for outlook in self.outlooks), UNSPENT)
