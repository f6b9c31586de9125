"""
The three tenses of one cache side by side: desired, recorded, live.

A tense holds what it can know, and None for the rest: only the state knows when we last
wrote, only a file what is desired, and only the provider what is so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from provisioner.cache import Json
from provisioner.escape import plain
from provisioner.model import (
    Change,
    Desired,
    DesiredCache,
    Life,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
    Settings,
)
from provisioner.model.attributes import life_fields, settings_fields
from provisioner.render.layout import Column, table
from provisioner.render.summary import SHORT
from provisioner.times import moment_text
from provisioner.view.snapshot import Tokens, tokens_of
from provisioner.view.tone import Palette
from provisioner.view.units import moment_short
from provisioner.view.wording import word

TITLES = ("DESIRED", "RECORDED", "LIVE")
_COLUMNS = (Column(), *(Column(title=title, narrow="wrap") for title in TITLES))
_UNKNOWN = "-"
_DIFFERS = "≠"
_OF_TIME = frozenset({"created", "updated", "expires", "tokens"})
"""What moves without anybody's doing, so that a difference says nothing."""


class Tense(Struct, frozen=True, kw_only=True):
    """What one tense knows of a cache."""

    provider: str
    model: str
    digest: str | None = None
    life: Life | None = None
    settings: Settings | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    tokens: Tokens | None = None
    id: str | None = None
    label: str | None = None


def tenses(change: Change) -> tuple[Tense | None, Tense | None, Tense | None]:
    """Desired, recorded and live, as *change* found them."""
    live = change.live
    return _desired(change.want), _recorded(change.record), _live(live) if live else None


def tense_words(tense: Tense | None) -> Json:
    """One tense for machines."""
    if tense is None:
        return None
    return {
        "provider": tense.provider,
        "model": tense.model,
        "digest": tense.digest,
        "life": life_fields(tense.life) if tense.life else None,
        "settings": settings_fields(tense.settings) if tense.settings else None,
        "created_at": _moment(tense.created_at),
        "updated_at": _moment(tense.updated_at),
        "expires_at": _moment(tense.expires_at),
        "tokens": tense.tokens.count if tense.tokens else None,
        "tokens_estimated": tense.tokens.estimated if tense.tokens else None,
        "id": tense.id,
        "label": tense.label,
    }


def tenses_text(change: Change, *, at: datetime, width: int, palette: Palette) -> list[str]:
    """A line for each attribute that any tense knows; `≠` marks where they disagree."""
    known = [_cells(tense, at) if tense else {} for tense in tenses(change)]
    keys = [key for key in _KEYS if any(key in cells for cells in known)]
    rows = [[plain(cells.get(key, _UNKNOWN)) for cells in known] for key in keys]
    heads = [f"{_mark(key, cells, palette)} {key}" for key, cells in zip(keys, rows, strict=True)]
    cells = [[head, *texts] for head, texts in zip(heads, rows, strict=True)]
    header, *lines = table(_COLUMNS, cells, width=width)
    return [palette.paint(header, "quiet"), *lines]


def _mark(key: str, cells: Sequence[str], palette: Palette) -> str:
    differs = key not in _OF_TIME and len({cell for cell in cells if cell != _UNKNOWN}) > 1
    return palette.paint(_DIFFERS, "change") if differs else " "


_KEYS = (
    *("provider", "model", "digest", "life", "refresh_before", "retire_after", "keep", "protect"),
    *("created", "updated", "expires", "tokens", "id", "label"),
)


def _cells(tense: Tense, at: datetime) -> Mapping[str, str]:
    life = life_fields(tense.life) if tense.life else {}
    settings = settings_fields(tense.settings) if tense.settings else {}
    known = {
        "provider": tense.provider,
        "model": tense.model,
        "digest": tense.digest and tense.digest[:SHORT],
        "life": " ".join(f"{key} {value}" for key, value in life.items()),
        **{key: word(value) for key, value in settings.items()},
        "created": tense.created_at and moment_short(tense.created_at, at=at),
        "updated": tense.updated_at and moment_short(tense.updated_at, at=at),
        "expires": tense.expires_at and moment_short(tense.expires_at, at=at),
        "tokens": tense.tokens and str(tense.tokens),
        "id": tense.id,
        "label": tense.label,
    }
    return {key: value for key, value in known.items() if value}


def _desired(want: Desired | None) -> Tense | None:
    if want is None:
        return None
    tense = Tense(
        provider=want.provider,
        model=want.model,
        digest=want.digest,
        life=want.life,
        tokens=tokens_of(want.measure.tokens, estimated=not want.measure.counted),
    )
    match want:
        case DesiredCache(settings=settings, label=label):
            return replace(tense, settings=settings, label=label.identity)
        case _:
            return tense


def _recorded(record: Recorded | RetiringCache | None) -> Tense | None:
    match record:
        case None:
            return None
        case RetiringCache():
            return Tense(
                provider=record.provider,
                model=record.model,
                expires_at=record.expires_at or record.until,
                id=record.id,
            )
        case RecordedAnnotation():
            return Tense(
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                updated_at=record.updated_at,
                tokens=tokens_of(record.measure.tokens, estimated=True),
            )
        case RecordedCache():
            return Tense(
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                settings=record.settings,
                created_at=record.created_at,
                updated_at=record.updated_at,
                expires_at=record.expires_at,
                tokens=tokens_of(record.measure.tokens, estimated=not record.measure.counted),
                id=record.id,
            )


def _live(live: LiveCache) -> Tense:
    return Tense(
        provider=live.provider,
        model=live.model,
        created_at=live.created_at,
        updated_at=live.updated_at,
        expires_at=live.expires_at,
        tokens=tokens_of(live.tokens, estimated=False),
        id=live.id,
        label=live.label.identity if live.label else None,
    )


def _moment(moment: datetime | None) -> str | None:
    return moment_text(moment) if moment else None
