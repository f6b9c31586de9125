"""
A cache at one moment, as it may be shown: desired, recorded, live or retiring.

A snapshot is the JSON of a cache in a plan; None is what is not known of it, or not there.
How a snapshot is laid out, and why a cache changes, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from provisioner.documents import Count, Name, ShownText, must
from provisioner.model.attributes import UNKNOWN, After, Life, Settings, SettingsFields, Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Change,
    Create,
    Delete,
    Keep,
    Leave,
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
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
    made_of,
)
from provisioner.times import duration_text, parse_duration
from provisioner.view.units import tokens_text

_DURATION = r"^(\d+[smhd])+\Z"

Provider: TypeAlias = Annotated[
    str,
    must(
        "be the name of a provider",
        pattern=r"^[a-z0-9][a-z0-9-]*\Z",
        max_length=32,
        description="gemini, claude, openai, or the manifest's name for a project of gemini.",
    ),
]
ShownDigest: TypeAlias = Annotated[
    str,
    must(
        "be a SHA-256 as hexadecimal digits",
        pattern=r"^[0-9a-f]{64}\Z",
        description="SHA-256 as hexadecimal digits.",
    ),
]
Moment: TypeAlias = Annotated[
    datetime,
    must(
        "be a moment in UTC: RFC 3339, such as 2026-12-24T18:00:00Z",
        tz=True,
        extra_json_schema={"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        description="RFC 3339 in UTC.",
    ),
]
Duration: TypeAlias = Annotated[
    str,
    must(
        "be a duration: whole numbers with s, m, h or d, such as 90m or 1d12h",
        pattern=_DURATION,
        description="Whole numbers with s, m, h and d, summed: 1h30m.",
    ),
]
Commit: TypeAlias = Annotated[
    str, must("be a commit as hexadecimal digits", pattern=r"^[0-9a-f]{40,64}\Z")
]


class LifeView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ttl starts again with every refresh; an expires_at stays."""

    ttl: Duration | UnsetType = UNSET
    expires_at: Moment | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.ttl is UNSET) is (self.expires_at is UNSET):
            raise ValueError("this must have either a ttl or an expires_at")

    def life(self) -> Life:
        """The same as a span or a moment.  Raises ValueError for a span that is out of bounds."""
        return Until(self.expires_at) if self.expires_at else Ttl(parse_duration(str(self.ttl)))


_EITHER = [{"type": "object", "required": [key]} for key in ("ttl", "expires_at")]
_LifeShape: TypeAlias = Annotated[LifeView, Meta(extra_json_schema={"oneOf": _EITHER})]
_MaybeLife: TypeAlias = Annotated[
    LifeView | None, Meta(extra_json_schema={"oneOf": [*_EITHER, {"type": "null"}]})
]


class AfterView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What an entry asks for; two that are equal need no edit.

    settings: Null for an annotation.
    """

    provider: Provider
    model: Name
    digest: ShownDigest
    life: _LifeShape
    settings: SettingsFields | None

    @property
    def after(self) -> After:
        """The same as durations and shares.  Raises ValueError for one that is out of bounds."""
        settings = self.settings.settings() if self.settings else None
        return made_of(After, self, life=self.life.life(), settings=settings)


class Snapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A cache before or after a change. Null is what is not known, or not there.

    paths: The content files as the manifest spells them.
    pieces: The first digits of the digest of each piece of the content, by what the piece
        is called.
    size: Bytes; null if any part lies elsewhere, so that they are unknown.
    tokens_estimated: Whether `tokens` is our estimate rather than the provider's count.
    refresh_at: From when on it is refreshed; null if it never is.
    expires_at: After a change that gives a new life: what is expected. The provider
        decides.
    """

    provider: Provider
    model: Name
    digest: ShownDigest | None
    life: _MaybeLife
    settings: SettingsFields | None
    paths: tuple[ShownText, ...] | None
    pieces: Mapping[ShownText, Name]
    size: Count | None
    tokens: Count | None
    tokens_estimated: bool | None
    created_at: Moment | None
    refresh_at: Moment | None
    expires_at: Moment | None
    id: ShownText | None

    @classmethod
    def desired(cls, want: Desired) -> Snapshot:
        """What the manifest asks for, with the count of tokens that it gives."""
        return _of_entry(want, want.settings if isinstance(want, DesiredCache) else None)

    @classmethod
    def recorded(cls, record: Recorded, live: LiveCache | None = None) -> Snapshot:
        """What is on record; its times and tokens are those of the *live* cache if there is one."""
        match record:
            case RecordedAnnotation(measure=measure):
                return _with_tokens(_of_entry(record, None), measure.tokens, counted=False)
            case RecordedCache():
                entry = replace(_of_entry(record, record.settings), id=record.id)
                if live:
                    entry = _with_tokens(entry, live.tokens, counted=True)
                return _as_granted(entry, record, live or record)

    @classmethod
    def live(cls, live: LiveCache) -> Snapshot:
        """What the provider reports."""
        snapshot = _with_tokens(_of_cache(live), live.tokens, counted=True)
        return replace(snapshot, created_at=live.created_at, expires_at=live.expires_at)

    @classmethod
    def retiring(cls, cache: RetiringCache, live: LiveCache | None = None) -> Snapshot:
        """What is on record of a replaced cache; its times are those of the *live* one."""
        if live is None:
            return replace(_of_cache(cache), expires_at=cache.until)
        return replace(Snapshot.live(live), provider=cache.provider, model=cache.model, id=cache.id)

    @property
    def asked(self) -> AfterView | None:
        """What of it an entry asks for; None if not all of that is known."""
        if self.digest is None or self.life is None:
            return None
        return made_of(AfterView, self)

    @property
    def holds_content(self) -> bool:
        """Whether its content is declared or on record, so that a size is to be shown."""
        return self.digest is not None

    @property
    def tokens_text(self) -> str:
        """`201k`, or `~205k` if that is our estimate; `?` if it is unknown."""
        return tokens_text(self.tokens or UNKNOWN, estimated=bool(self.tokens_estimated))


def before(change: Change) -> Snapshot | None:
    """On record and alive now; None if nothing is."""
    replaces = isinstance(change, Adopt) and change.record
    live = change.old if replaces else change.live
    match change.record:
        case None:
            return Snapshot.live(live) if live else None
        case RetiringCache() as cache:
            return Snapshot.retiring(cache, live)
        case record:
            return Snapshot.recorded(record, live)


def after(change: Change, at: datetime) -> Snapshot | None:
    """What the manifest asks for, made at the moment *at*; None if it asks for nothing."""
    match change:
        case Create(want, record) | Replace(want, record=record):
            return _with_life(_wanted(want, record), want, at, at, want.life.end(at))
        case Adopt(want, live, record=record) | Refresh(want, live, record):
            snapshot = _wanted(want, record, live)
            return _with_life(snapshot, want, live.created_at, at, want.life.end(at))
        case Note(want, live, record) | Keep(DesiredCache() as want, LiveCache() as live, record):
            return _as_granted(_wanted(want, record, live), want, live)
        case _:
            return _wanted(change.want, change.record) if change.want else None


def gone_at(change: Change, at: datetime) -> datetime | None:
    """When the cache that lives now is gone, if *change* is made at *at* or has been before."""
    match change:
        case (
            Replace(old=live, record=record)
            | Retire(live, record)
            | Adopt(old=LiveCache() as live, record=RecordedCache() as record)
            | Annotate(old=LiveCache() as live, record=RecordedCache() as record)
        ):
            return min(at + record.retire_after, live.expires_at)
        case Leave(live, RetiringCache()):
            return live.expires_at
        case Delete():
            return at
        case _:
            return None


@lru_cache
def life_view(life: Life) -> LifeView:
    match life:
        case Ttl(span):
            return LifeView(ttl=duration_text(span))
        case Until(moment):
            return LifeView(expires_at=moment)


settings_view = lru_cache(SettingsFields.of)
"""What is kept of a cache as JSON; many caches have equal settings."""


def after_view(after: After) -> AfterView:
    settings = settings_view(after.settings) if after.settings else None
    return made_of(AfterView, after, life=life_view(after.life), settings=settings)


_UNKNOWN = Snapshot(
    provider="",
    model="",
    digest=None,
    life=None,
    settings=None,
    paths=None,
    pieces={},
    size=None,
    tokens=None,
    tokens_estimated=None,
    created_at=None,
    refresh_at=None,
    expires_at=None,
    id=None,
)


def _of_entry(entry: Desired | Recorded, settings: Settings | None) -> Snapshot:
    measure = entry.measure
    snapshot = replace(
        _UNKNOWN,
        provider=entry.provider,
        model=entry.model,
        digest=entry.digest,
        life=life_view(entry.life),
        settings=settings_view(settings) if settings else None,
        paths=measure.paths,
        pieces=dict(measure.pieces),
        size=measure.size or None,
    )
    return _with_tokens(snapshot, measure.tokens, counted=measure.counted)


def _of_cache(cache: LiveCache | RetiringCache) -> Snapshot:
    """All that is known of the content is whose it is."""
    return replace(_UNKNOWN, provider=cache.provider, model=cache.model, id=cache.id)


def _with_tokens(snapshot: Snapshot, count: int, *, counted: bool) -> Snapshot:
    """*snapshot* with the *count*, which the provider said or we estimate."""
    return replace(snapshot, tokens=count or None, tokens_estimated=not counted if count else None)


def _wanted(
    want: Desired, record: Recorded | RetiringCache | None, live: LiveCache | None = None
) -> Snapshot:
    """With the provider's count if it ever counted this very content, else the estimate."""
    snapshot = Snapshot.desired(want)
    match live, record:
        case LiveCache(tokens=count), _:
            return _with_tokens(replace(snapshot, id=live.id), count, counted=True)
        case None, RecordedCache(digest=want.digest, measure=measure):
            return _with_tokens(snapshot, measure.tokens, counted=measure.counted)
        case _:
            return snapshot


def _as_granted(
    snapshot: Snapshot, entry: DesiredCache | RecordedCache, cache: LiveCache | RecordedCache
) -> Snapshot:
    """*snapshot* with the moments of the life that *cache* has."""
    return _with_life(snapshot, entry, cache.created_at, cache.updated_at, cache.expires_at)


def _with_life(
    snapshot: Snapshot,
    entry: DesiredCache | RecordedCache,
    created_at: datetime,
    granted_at: datetime,
    end: datetime,
) -> Snapshot:
    """*snapshot* with the moments of a life; *entry* says when it is to be refreshed."""
    warm = isinstance(entry.life, Ttl) and entry.settings.keep == "warm"
    refresh_at = end - entry.settings.window(end - granted_at) if warm else None
    return replace(snapshot, created_at=created_at, refresh_at=refresh_at, expires_at=end)
