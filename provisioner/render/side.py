"""
What is there before a change, and what the manifest asks for after it.

A side holds what may be told of a cache, with None for what is not known of it.  How a side
is shown, and why it changes, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from provisioner.model import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Desired,
    DesiredCache,
    Forget,
    Keep,
    Leave,
    Life,
    LiveCache,
    Note,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    Refresh,
    Replace,
    Retire,
    RetiringCache,
    Settings,
    Ttl,
    Until,
)
from provisioner.render.sizes import tokens_text


@dataclass(frozen=True, slots=True)
class Tokens:
    """A count, and whether the provider said it."""

    count: int
    estimated: bool

    def __str__(self) -> str:
        return tokens_text(self.count, estimated=self.estimated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A cache before or after a change; None is what is not known of it."""

    provider: str
    model: str
    digest: str | None = None
    life: Life | None = None
    settings: Settings | None = None
    paths: tuple[str, ...] | None = None
    pieces: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Digests, by what the piece is called."""
    size: int | None = None
    tokens: Tokens | None = None
    expires_at: datetime | None = None
    """After a change that gives a new life: what is expected.  The provider decides."""
    id: str | None = None


def before(change: Change) -> Side | None:
    """On record and alive now; None if nothing is."""
    match change:
        case Adopt(twin=twin, record=None):
            return _live_side(twin)
        case Create(record=record) | Forget(record):
            return _record_side(record, None)
        case Replace(old=live, record=record) | Adopt(old=live, record=record):
            return _record_side(record, live)
        case Annotate(old=live, record=record) | Keep(own=live, record=record):
            return _record_side(record, live)
        case Refresh(own=live, record=record) | Note(own=live, record=record):
            return _record_side(record, live)
        case Blocked(live=live, record=record) | Retire(live, record):
            return _record_side(record, live)
        case Delete(live, record) | Leave(live, record):
            return _record_side(record, live)


def after(change: Change, at: datetime) -> Side | None:
    """What the manifest asks for, made at the moment *at*; None if it asks for nothing."""
    match change:
        case Create(want, record) | Replace(want, record=record) | Annotate(want, record=record):
            return _want_side(want, record, None, _expected(want, at))
        case Adopt(want, live, record=record) | Refresh(want, live, record):
            return _want_side(want, record, live, _expected(want, at))
        case Note(want, live, record) | Keep(want, live, record):
            return _want_side(want, record, live, live.expires_at if live else None)
        case Blocked(want=want, record=record) if want:
            return _want_side(want, record, None, None)
        case Blocked() | Retire() | Delete() | Forget() | Leave():
            return None


def _record_side(record: Recorded | RetiringCache | None, live: LiveCache | None) -> Side | None:
    match record:
        case None:
            return _live_side(live) if live else None
        case RetiringCache():
            return Side(
                provider=record.provider,
                model=record.model,
                tokens=Tokens(live.tokens, estimated=False) if live else None,
                expires_at=live.expires_at if live else record.until,
                id=record.id,
            )
        case RecordedAnnotation():
            return Side(
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                paths=record.measure.paths,
                pieces=record.measure.pieces,
                size=record.measure.size,
                tokens=Tokens(record.measure.tokens, estimated=True),
            )
        case RecordedCache():
            count = live.tokens if live else record.measure.tokens
            return Side(
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                settings=record.settings,
                paths=record.measure.paths,
                pieces=record.measure.pieces,
                size=record.measure.size,
                tokens=Tokens(count, estimated=not (live or record.measure.counted)),
                expires_at=live.expires_at if live else record.expires_at,
                id=record.id,
            )


def _live_side(live: LiveCache) -> Side:
    return Side(
        provider=live.provider,
        model=live.model,
        tokens=Tokens(live.tokens, estimated=False),
        expires_at=live.expires_at,
        id=live.id,
    )


def _want_side(
    want: Desired, record: Recorded | None, live: LiveCache | None, expires_at: datetime | None
) -> Side:
    return Side(
        provider=want.provider,
        model=want.model,
        digest=want.digest,
        life=want.life,
        settings=want.settings if isinstance(want, DesiredCache) else None,
        paths=want.measure.paths,
        pieces=want.measure.pieces,
        size=want.measure.size,
        tokens=_tokens(want, record, live),
        expires_at=expires_at,
        id=live.id if live else None,
    )


def _tokens(want: Desired, record: Recorded | None, live: LiveCache | None) -> Tokens:
    """The provider's count if it ever counted this very content, else the estimate."""
    match live, record:
        case LiveCache(tokens=count), _:
            return Tokens(count, estimated=False)
        case None, RecordedCache(digest=want.digest, measure=measure):
            return Tokens(measure.tokens, estimated=not measure.counted)
        case _:
            return Tokens(want.measure.tokens, estimated=not want.measure.counted)


def _expected(want: Desired, at: datetime) -> datetime | None:
    match want:
        case DesiredCache(life=Ttl(span)):
            return at + span
        case DesiredCache(life=Until(moment)):
            return moment
        case _:
            return None
