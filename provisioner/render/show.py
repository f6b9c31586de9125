"""
The caches of a stack as they stand: how much life is left, what they hold, when they changed.

Shown is the record, corrected by what the provider says of existence and time, if it was
asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.escape import plain
from provisioner.model.attributes import life_fields, settings_fields
from provisioner.model.changes import Tone
from provisioner.model.facts import State
from provisioner.model.money import NO_RENT, Rent
from provisioner.model.records import LiveCache, Recorded, RecordedAnnotation, RecordedCache
from provisioner.render.layout import NARROWEST, Column, Palette, hang, pairs, table
from provisioner.view.units import moment_short, size_text, span_text, tokens_text, usd
from provisioner.view.wording import value_text

_COLUMNS = (
    Column(title="NAME", narrow="clip"),
    Column(title="PROVIDER"),
    Column(title="LIFE"),
    Column(title="LEFT", right=True),
    Column(title="CHANGED", right=True),
    Column(title="TOKENS", right=True),
    Column(title="RENT", right=True),
)


class _Standing(Struct, frozen=True, kw_only=True):
    """A recorded cache at one moment; an annotation is never alive, for it has no end."""

    record: Recorded
    updated_at: datetime
    expires_at: datetime | None = None
    left: str = ""
    share: float = 0.0
    """What is left of the granted life, from 0 to 1."""
    tone: Tone = "quiet"
    rent: Rent | None = None
    """None for what is not alive."""

    @property
    def tokens(self) -> str:
        estimated = isinstance(self.record, RecordedAnnotation)
        return tokens_text(self.record.measure.tokens, estimated=estimated)

    def bar(self, cells: int) -> str:
        """Nothing for an annotation: each call renews its life."""
        full = round(self.share * cells)
        return "█" * full + "░" * (cells - full) if self.expires_at else " " * cells


def show_text(
    state: State,
    live: Mapping[str, LiveCache] | None,
    *,
    rents: Mapping[str, Rent],
    now: datetime,
    width: int,
    colour: bool,
) -> str:
    """
    A line per cache on record.

    *live* is by id, None if the provider was not asked; *rents* are by name.
    """
    if not state.caches:
        return f"Nothing is on record of {plain(state.stack)}.\n"
    width, palette = max(width, NARROWEST), Palette(colour)
    shown = [
        _standing(state.caches[name], live, rents.get(name), now) for name in sorted(state.caches)
    ]
    rows = [_cells(one, now, bar=palette.paint(one.bar(width // 8), one.tone)) for one in shown]
    header, *lines = table(_COLUMNS, rows, width=width)
    parts = [palette.paint(header, "quiet"), *lines]
    return "\n".join([*parts, *_retiring(state, live, now, width), *_total(shown)]) + "\n"


def show_one(
    record: Recorded,
    live: Mapping[str, LiveCache] | None,
    *,
    rent: Rent | None,
    now: datetime,
    width: int,
    colour: bool,
) -> str:
    """Everything that is known of one cache."""
    width, palette = max(width, NARROWEST), Palette(colour)
    facts = _facts(_standing(record, live, rent, now), now, cells=width // 4)
    lines = pairs([(key, plain(value)) for key, value in facts], width=width)
    return "\n".join([palette.paint(plain(record.name), "strong"), *lines]) + "\n"


def _standing(
    record: Recorded, live: Mapping[str, LiveCache] | None, rent: Rent | None, now: datetime
) -> _Standing:
    if isinstance(record, RecordedAnnotation):
        return _Standing(record=record, updated_at=record.updated_at)
    seen = record if live is None else live.get(record.id)
    shown = seen or record
    rest = shown.expires_at - now if seen else timedelta()
    alive = rest > timedelta()
    granted = shown.expires_at - shown.updated_at
    due = rest <= record.settings.window(granted)
    return _Standing(
        record=record,
        updated_at=shown.updated_at,
        expires_at=shown.expires_at,
        left=span_text(rest) if alive else "expired" if shown.expires_at <= now else "gone",
        share=max(0.0, min(rest / granted, 1.0)) if granted else 0.0,
        tone="bad" if not alive else "change" if due else "good",
        rent=rent if alive else None,
    )


def _cells(one: _Standing, now: datetime, *, bar: str) -> tuple[str, ...]:
    return (
        plain(one.record.name),
        one.record.provider,
        bar,
        one.left,
        f"{span_text(now - one.updated_at)} ago",
        one.tokens,
        usd(one.rent.rent_per_hour, "/h") if one.rent is not None else "",
    )


def _retiring(
    state: State, live: Mapping[str, LiveCache] | None, now: datetime, width: int
) -> list[str]:
    caches = state.retiring.values()
    if live is None:
        ends = [(one.name, one.until) for one in caches]
    else:
        ends = [(one.name, live[one.id].expires_at) for one in caches if one.id in live]
    dying = [f"{name} in {span_text(end - now)}" for name, end in ends if end > now]
    lines = hang("Retiring: ", plain(", ".join(dying)), width=width, indent=len("Retiring: "))
    return ["", *lines] if dying else []


def _total(shown: Sequence[_Standing]) -> list[str]:
    """What all that lives costs, but for what is retiring."""
    rents = [one.rent for one in shown if one.rent is not None]
    return ["", f"Rent: {_rent(sum(rents, NO_RENT))}."] if rents else []


def _rent(rent: Rent) -> str:
    return f"{usd(rent.rent_per_hour, '/h')}, {usd(rent.rent_30_days)} in 30 days"


def _facts(one: _Standing, now: datetime, *, cells: int) -> Iterator[tuple[str, str]]:
    record = one.record
    yield "provider", record.provider
    yield "model", record.model
    if one.expires_at:
        until = f"until {moment_short(one.expires_at, at=now)}"
        yield "left", f"{one.bar(cells)} {one.left}, {until}"
    fields = life_fields(record.life)
    if isinstance(record, RecordedCache):
        fields |= settings_fields(record.settings)
    yield from ((key, value_text(value)) for key, value in fields.items())
    if isinstance(record, RecordedCache):
        yield "created", f"{span_text(now - record.created_at)} ago"
    yield "changed", f"{span_text(now - one.updated_at)} ago"
    yield "holds", f"{size_text(record.measure.size)}, {one.tokens} tokens"
    if one.rent is not None:
        yield "rent", _rent(one.rent)
    yield "content", ", ".join(record.measure.paths)
    yield "digest", record.digest
    yield "handle", json.dumps(record.handle.as_json())
