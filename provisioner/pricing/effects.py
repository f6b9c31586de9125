"""
What each change does to what is paid for: what it makes, what lives before and after it,
and what fades away.

Tokens are the provider's count of what lives, or of the very content it once counted, else
an estimate.  No price is known here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Move,
    Note,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.records import (
    Desired,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.pricing.rates import MONTH, Held, Tariffs

_NOW = timedelta()


class Fading(Struct, frozen=True, kw_only=True):
    """What lives on for a while after its change."""

    held: Held
    span: timedelta


class Effect(Struct, frozen=True, kw_only=True):
    """What a change does."""

    makes: Held | None = None
    before: tuple[Held, ...] = ()
    after: Held | None = None
    lasts: timedelta = MONTH
    """How long of a month this concerns: what is kept warm lives on, the rest dies."""
    stays: timedelta | None = None
    """How long of it the old cache would have lived on; None if that is no shorter or longer."""
    fading: Fading | None = None
    want: Desired | None = None
    """What is declared, and there."""
    wanted: Held | None = None
    """Its content."""


def effect(change: Change, tariffs: Tariffs, at: datetime) -> Effect:
    """Carry out *change* at *at*, on paper."""
    match change:
        case Create(want, record):
            return _made(want, _content(want, record, tariffs), at)
        case Replace(want, old, record):
            made = _content(want, record, tariffs)
            return _with_old(_made(want, made, at), old, record, tariffs, at)
        case Adopt(want, twin, old, record):
            taken = _living(want, alive(twin, None, tariffs), _ahead(want, at))
            return _with_old(taken, old, record, tariffs, at)
        case Refresh(want, own, record):
            return _living(want, alive(own, record, tariffs), _ahead(want, at))
        case Note(want, own, record) | Keep(DesiredCache() as want, LiveCache() as own, record):
            return _living(want, alive(own, record, tariffs), left(own, want, at))
        case Keep(DesiredCache()) | Move() | Forget():
            return Effect()
        case Annotate(want, old, record):
            noted = Effect(want=want, wanted=_content(want, record, tariffs))
            return _with_old(noted, old, record, tariffs, at)
        case Keep(want, _, record):
            return Effect(want=want, wanted=_content(want, record, tariffs))
        case Retire(live, record):
            stopped = Effect(lasts=left(live, record, at))
            return _with_old(stopped, live, record, tariffs, at)
        case Delete(live, record):
            held = alive(live, record, tariffs)
            return Effect(before=(held,), lasts=left(live, record, at))
        case Leave(live, record):
            return _unchanged(live, record, tariffs, at)
        case Blocked(live=live, record=record):
            return _unchanged(live, record, tariffs, at) if live else Effect()


def _living(want: DesiredCache, held: Held, lasts: timedelta) -> Effect:
    return Effect(before=(held,), after=held, lasts=lasts, want=want, wanted=held)


def _unchanged(
    live: LiveCache, record: Recorded | RetiringCache | None, tariffs: Tariffs, at: datetime
) -> Effect:
    held = alive(live, record, tariffs)
    return Effect(before=(held,), after=held, lasts=left(live, record, at))


def _made(want: DesiredCache, made: Held, at: datetime) -> Effect:
    return Effect(makes=made, after=made, lasts=_ahead(want, at), want=want, wanted=made)


def _with_old(
    rest: Effect,
    old: LiveCache | None,
    record: Recorded | RetiringCache | None,
    tariffs: Tariffs,
    at: datetime,
) -> Effect:
    """The same, with an old cache that is retired by its record."""
    if old is None or not isinstance(record, RecordedCache | RetiringCache):
        return rest
    held = alive(old, record, tariffs)
    span = max(_NOW, min(record.retire_after, old.expires_at - at))
    return replace(
        rest,
        before=(*rest.before, held),
        stays=left(old, record, at),
        fading=Fading(held=held, span=span),
    )


def held_by(cache: LiveCache | RecordedCache, tariffs: Tariffs) -> Held:
    """What a cache holds, by the provider's word alone, or by what is on record."""
    tariff = tariffs(cache.kind, cache.model)
    match cache:
        case LiveCache(tokens=tokens):
            return Held(tariff, tokens, estimated=False)
        case RecordedCache(measure=measure):
            return Held(tariff, measure.tokens, estimated=not measure.counted)


def alive(live: LiveCache, record: Recorded | RetiringCache | None, tariffs: Tariffs) -> Held:
    """
    What a live cache holds.

    A provider that tells no count leaves us with ours; and in a comparison of revisions,
    what is alive is only as sure as its record.
    """
    match record:
        case RecordedCache(id=live.id, measure=measure):
            count = live.tokens or measure.tokens
            tariff = tariffs(live.kind, live.model)
            return Held(tariff, count, estimated=not (measure.counted and live.tokens))
        case _:
            return held_by(live, tariffs)


def left(
    live: LiveCache | RecordedCache,
    kept: DesiredCache | Recorded | RetiringCache | None,
    at: datetime,
) -> timedelta:
    """How long of a month a life lasts that has begun."""
    is_warm = isinstance(kept, DesiredCache | RecordedCache) and kept.is_warm
    return MONTH if is_warm else _within(live.expires_at - at)


def _content(want: Desired, record: Recorded | None, tariffs: Tariffs) -> Held:
    """What *want* would hold, counted if its very content was."""
    match record:
        case RecordedCache(digest=want.digest, measure=measure) if measure.counted:
            pass
        case _:
            measure = want.measure
    return Held(tariffs(want.kind, want.model), measure.tokens, estimated=not measure.counted)


def _ahead(want: DesiredCache, at: datetime) -> timedelta:
    """How long of a month a life lasts that begins now."""
    return MONTH if want.is_warm else _within(want.life.end(at) - at)


def _within(span: timedelta) -> timedelta:
    return max(_NOW, min(span, MONTH))
