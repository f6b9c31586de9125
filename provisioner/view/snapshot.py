"""
What is there before a change, and what the manifest asks for after it.

A side holds what may be told of a cache, with None for what is not known of it.  How a side
is shown, and why it changes, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from msgspec import Struct, field

from provisioner.model import (
    UNKNOWN,
    Adopt,
    After,
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
    Move,
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
from provisioner.view.units import tokens_text


class Tokens(Struct, frozen=True):
    """A count, and whether the provider said it."""

    count: int
    estimated: bool

    def __str__(self) -> str:
        return tokens_text(self.count, estimated=self.estimated)


def tokens_of(count: int, *, estimated: bool) -> Tokens | None:
    """*count* as it may be shown; None if it is unknown."""
    return None if count == UNKNOWN else Tokens(count, estimated)


class Side(Struct, frozen=True, kw_only=True):
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
    """Bytes; None if they are unknown, or if there is no content to speak of."""
    tokens: Tokens | None = None
    created_at: datetime | None = None
    refresh_at: datetime | None = None
    """From when on it is refreshed; None if it never is."""
    expires_at: datetime | None = None
    """After a change that gives a new life: what is expected.  The provider decides."""
    id: str | None = None

    @property
    def asked(self) -> After | None:
        """What of it an entry asks for; None if not all of that is known."""
        if self.digest is None or self.life is None:
            return None
        return After(
            provider=self.provider,
            model=self.model,
            digest=self.digest,
            life=self.life,
            settings=self.settings,
        )

    @property
    def holds_content(self) -> bool:
        """Whether its content is declared or on record, so that a size is to be shown."""
        return self.digest is not None


def before(change: Change) -> Side | None:
    """On record and alive now; None if nothing is."""
    replaces = isinstance(change, Adopt) and change.record
    return _record_side(change.record, change.old if replaces else change.live)


def after(change: Change, at: datetime) -> Side | None:
    """What the manifest asks for, made at the moment *at*; None if it asks for nothing."""
    match change:
        case Create(want, record) | Replace(want, record=record):
            return _want_side(want, record, None, _begun(want, at, at))
        case Adopt(want, live, record=record) | Refresh(want, live, record):
            return _want_side(want, record, live, _begun(want, live.created_at, at))
        case Note(want, live, record) | Keep(DesiredCache() as want, LiveCache() as live, record):
            return _want_side(want, record, live, _span(live, want.life, want.settings))
        case Annotate(want, record=record) | Keep(want, record=record):
            return _want_side(want, record, None, _Span())
        case Blocked(want=want, record=record) if want:
            return _want_side(want, record, None, _Span())
        case Blocked() | Move() | Retire() | Delete() | Forget() | Leave():
            return None


def gone_at(change: Change, at: datetime) -> datetime | None:
    """When the cache that lives now is gone, if *change* is made at *at* or has been before."""
    match change:
        case Replace(old=live, record=record) | Retire(live, record):
            return min(at + record.retire_after, live.expires_at)
        case Adopt(old=LiveCache() as live, record=RecordedCache() as record):
            return min(at + record.retire_after, live.expires_at)
        case Annotate(old=LiveCache() as live, record=RecordedCache() as record):
            return min(at + record.retire_after, live.expires_at)
        case Leave(live, RetiringCache()):
            return live.expires_at
        case Delete():
            return at
        case _:
            return None


class _Span(Struct, frozen=True, kw_only=True):
    """The moments of one life."""

    created_at: datetime | None = None
    refresh_at: datetime | None = None
    expires_at: datetime | None = None


def _span(cache: LiveCache | RecordedCache, life: Life, settings: Settings) -> _Span:
    """A life that has begun."""
    granted = cache.expires_at - cache.updated_at
    return _Span(
        created_at=cache.created_at,
        refresh_at=_refresh_at(life, settings, cache.expires_at, granted),
        expires_at=cache.expires_at,
    )


def _begun(want: DesiredCache, created_at: datetime, at: datetime) -> _Span:
    """A life that begins, or begins anew, at *at*."""
    match want.life:
        case Ttl(span):
            end = at + span
        case Until(end):
            pass
    return _Span(
        created_at=created_at,
        refresh_at=_refresh_at(want.life, want.settings, end, end - at),
        expires_at=end,
    )


def _refresh_at(
    life: Life, settings: Settings, end: datetime, granted: timedelta
) -> datetime | None:
    warm = isinstance(life, Ttl) and settings.keep == "warm"
    return end - settings.window(granted) if warm else None


def _record_side(record: Recorded | RetiringCache | None, live: LiveCache | None) -> Side | None:
    match record:
        case None:
            return _live_side(live) if live else None
        case RetiringCache():
            return Side(
                provider=record.provider,
                model=record.model,
                tokens=tokens_of(live.tokens, estimated=False) if live else None,
                created_at=live.created_at if live else None,
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
                size=record.measure.size or None,
                tokens=tokens_of(record.measure.tokens, estimated=True),
            )
        case RecordedCache():
            count = live.tokens if live else record.measure.tokens
            span = _span(live or record, record.life, record.settings)
            return Side(
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                settings=record.settings,
                paths=record.measure.paths,
                pieces=record.measure.pieces,
                size=record.measure.size or None,
                tokens=tokens_of(count, estimated=not (live or record.measure.counted)),
                created_at=span.created_at,
                refresh_at=span.refresh_at,
                expires_at=span.expires_at,
                id=record.id,
            )


def _live_side(live: LiveCache) -> Side:
    return Side(
        provider=live.provider,
        model=live.model,
        tokens=tokens_of(live.tokens, estimated=False),
        created_at=live.created_at,
        expires_at=live.expires_at,
        id=live.id,
    )


def _want_side(want: Desired, record: Recorded | None, live: LiveCache | None, span: _Span) -> Side:
    return Side(
        provider=want.provider,
        model=want.model,
        digest=want.digest,
        life=want.life,
        settings=want.settings if isinstance(want, DesiredCache) else None,
        paths=want.measure.paths,
        pieces=want.measure.pieces,
        size=want.measure.size or None,
        tokens=_tokens(want, record, live),
        created_at=span.created_at,
        refresh_at=span.refresh_at,
        expires_at=span.expires_at,
        id=live.id if live else None,
    )


def _tokens(want: Desired, record: Recorded | None, live: LiveCache | None) -> Tokens | None:
    """The provider's count if it ever counted this very content, else the estimate."""
    match live, record:
        case LiveCache(tokens=count), _:
            return tokens_of(count, estimated=False)
        case None, RecordedCache(digest=want.digest, measure=measure):
            return tokens_of(measure.tokens, estimated=not measure.counted)
        case _:
            return tokens_of(want.measure.tokens, estimated=not want.measure.counted)
