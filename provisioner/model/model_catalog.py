"""
What may be known of a model: its minimum, what it offers, when it retires, what it costs.

Prices are as their sources give them; nothing is worked out here.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct


class Rate(Struct, frozen=True, kw_only=True):
    """Prices of a request whose prompt has more than `above` tokens: USD per million tokens."""

    above: int
    input: Decimal
    cached_input: Decimal
    storage_per_hour: Decimal | None
    """USD per million tokens and hour; None where nothing can be stored."""


class Period(Struct, frozen=True, kw_only=True):
    """What holds from one day to another, both included, in UTC; None leaves an end open."""

    valid_from: date | None
    valid_to: date | None
    as_of: date
    """When the source was read."""
    source: str
    """A URL, or what a user's file calls it."""
    uncertain: bool
    """Whether the figures rest on one unverified report or on an inference."""
    rates: tuple[Rate, ...]
    """By `above`: the last one that is exceeded holds, or else the first."""


class Offer(Struct, frozen=True, kw_only=True):
    """A life that annotations of a model can have, and what a write costs for it."""

    ttl: timedelta
    write: Decimal
    """A multiple of the input price."""
    apis: tuple[str, ...]
    """The only APIs that take it; empty if all do."""


class Model(Struct, frozen=True, kw_only=True):
    """One model.  None means not known, never no."""

    provider: str
    name: str
    min_tokens: int | None
    explicit_caching: bool | None
    """False: implicit caching only.  Always None for claude and openai."""
    retires_on: date | None
    """The first day on which it is gone."""
    offers: tuple[Offer, ...]
    """The provider's default comes first; empty for gemini."""
    prices: tuple[Period, ...]
    note: str | None
