"""
The published document: what an application needs of each cache, and nothing else.

The shape is `schemas/handles.schema.json`.  A cache whose time has passed is left out, so
that its readers are cold rather than refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from provisioner.cache import CacheHandle, Json, handle_from_json
from provisioner.documents import newer, utf8
from provisioner.errors import PublishError, StateError
from provisioner.files import DRAFT
from provisioner.model import Recorded, RecordedCache, RetiringCache, State
from provisioner.storage import Backend
from provisioner.times import moment_text, parse_moment

VERSION = 1

_FORM = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def handles_bytes(state: State, *, hidden: Collection[str], now: datetime) -> bytes:
    """The document as it is published; names in *hidden* are left out."""
    return orjson.dumps(handles_words(state, hidden=hidden, now=now), option=_FORM)


def handles_words(state: State, *, hidden: Collection[str], now: datetime) -> dict[str, Json]:
    previous = _latest(state.retiring.values(), now)
    return {
        "version": VERSION,
        "stack": state.stack,
        "generated_at": moment_text(now),
        "caches": {
            name: _entry(record, previous.get(name))
            for name, record in state.caches.items()
            if name not in hidden and not _is_over(_expiry(record), now)
        },
    }


def _latest(retiring: Collection[RetiringCache], now: datetime) -> dict[str, RetiringCache]:
    """Of each name the retiring cache that lives longest."""
    alive = (cache for cache in retiring if not _is_over(cache.until, now))
    return {cache.name: cache for cache in sorted(alive, key=lambda cache: cache.until)}


def _entry(record: Recorded, previous: RetiringCache | None) -> dict[str, Json]:
    expiry = _expiry(record)
    return {
        "handle": record.handle.as_json(),
        "model": record.model,
        "digest": record.digest,
        "expires_at": moment_text(expiry) if expiry else None,
        "previous": _previous(previous) if previous else None,
    }


def _previous(cache: RetiringCache) -> dict[str, Json]:
    return {"handle": cache.handle.as_json(), "until": moment_text(cache.until)}


def _expiry(record: Recorded) -> datetime | None:
    return record.expires_at if isinstance(record, RecordedCache) else None


def _is_over(expiry: datetime | None, now: datetime) -> bool:
    return expiry is not None and now >= expiry


def publish(backend: Backend, name: str, content: bytes) -> bool:
    """
    Put the document into its backend, in one step, and say whether that was needed.

    A file that differs only in when it was generated is left alone, so that whoever
    watches it, or keeps it in git, sees no change where there is none.  Raises
    PublishError, also if a newer ctxprov has published there.
    """
    try:
        found = backend.read(name)
        reserved = reserved_for(name)
        if reserved or (found and not is_published(found.content)):
            why = f"has the name of {reserved}" if reserved else "was not written by ctxprov"
            raise PublishError(
                f"the handles cannot be published: {backend.where(name)} {why}.  Name another file "
                "in publish:, or move that one away, and run again.  Nothing that applications may "
                "be using has been retired."
            )
        if found and _says_the_same(found.content, content, where=backend.where(name)):
            return False
        backend.write(name, content, expected=found.version if found else None)
    except StateError as error:
        raise PublishError(
            f"the handles cannot be published: {error}  Applications go on with what was "
            "published before, and nothing that they may be using has been retired."
        ) from error
    return True


def reserved_for(name: str) -> str | None:
    """What a file of that name would be taken for by ctxprov; None if it may be published."""
    plain = f".{name}".lower()
    if plain.endswith((".ctxprov.yaml", ".ctxprov.yml")):
        return "a manifest"
    if plain.endswith((".lock", ".lock.json")):
        return "a state's lock"
    return "a draft" if name == DRAFT else None


def is_published(raw: bytes) -> bool:
    """Whether *raw* has the shape of a published document, or is empty: nothing is lost by it."""
    try:
        match orjson.loads(utf8(raw)):
            case {"version": int(), "stack": str(), "generated_at": str(), "caches": dict()}:
                return True
            case _:
                return False
    except ValueError:
        return not raw


def _says_the_same(old: bytes, new: bytes, *, where: str) -> bool:
    try:
        published = orjson.loads(utf8(old))
    except ValueError:
        return False
    _refuse_newer(published, where)
    return _timeless(published) == _timeless(orjson.loads(new))


def _refuse_newer(document: Json, where: str) -> None:
    match document:
        case {"version": int(version)} if version > VERSION:
            why = f"its version is {version}, and {VERSION} is the latest that can be read"
            raise PublishError(newer(where, why))


def _timeless(document: Json) -> Json:
    if not isinstance(document, Mapping):
        return None
    return {key: value for key, value in document.items() if key != "generated_at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A handle as an application finds it; an annotation has no expiry."""

    handle: CacheHandle
    expires_at: datetime | None


def parse_handles(raw: bytes, *, where: str) -> dict[str, Published | None]:
    """Read the handles of a published document, as `parse_published` does."""
    return parse_published(raw, where=where)[0]


def parse_published(
    raw: bytes, *, where: str
) -> tuple[dict[str, Published | None], datetime | None]:
    """
    Read a published document, and when it was generated by the clock of the provider.

    Keys that only a newer ctxprov knows are passed over.

    An entry that makes no sense, such as one for a provider yet unknown here, is None and
    spoils no other.  Raises PublishError if the document as a whole makes none.
    """
    try:
        document: Json = orjson.loads(utf8(raw))
    except orjson.JSONDecodeError as error:
        raise PublishError(f"{where} is not JSON") from error
    except ValueError as error:
        raise PublishError(f"{where} {error}") from error
    _refuse_newer(document, where)
    match document:
        case {"version": 1, "caches": dict(caches), **rest}:
            handles = {name: _published(entry) for name, entry in caches.items()}
            return handles, _moment(rest.get("generated_at"))
        case _:
            raise PublishError(f"{where} holds no handles that ctxprov published")


def _moment(spelled: object) -> datetime | None:
    try:
        return parse_moment(spelled) if isinstance(spelled, str) else None
    except ValueError:
        return None


def _published(entry: Mapping[str, Json]) -> Published | None:
    try:
        match entry:
            case {"handle": handle, "expires_at": None}:
                return Published(handle=handle_from_json(handle), expires_at=None)
            case {"handle": handle, "expires_at": str(expiry)}:
                return Published(handle=handle_from_json(handle), expires_at=parse_moment(expiry))
            case _:
                return None
    except ValueError:
        return None
