"""
Published handles: what an application needs of each cache, and nothing else.

An apply writes them and running applications read them, so a re-created cache reaches its users
without a deployment.  The commands that write them do not import `reader`, which programs do.

A cache whose time has passed is left out, so that its readers are cold rather than refused.
The file is written and described by its structs.  It is read with tolerance, since an
application may be older than the ctxprov that published for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, convert, to_builtins

from provisioner.cache import CacheHandle, Json, handle_from_json
from provisioner.documents import (
    CacheName,
    Digest,
    NotJson,
    Text,
    document_bytes,
    later_version,
    newer,
    parse_json,
)
from provisioner.errors import PublishError, StateError, StateTaken
from provisioner.files import DRAFT
from provisioner.model.facts import State
from provisioner.model.records import Recorded, RecordedCache, RetiringCache, made_of
from provisioner.storage import Backend
from provisioner.times import moment_text, parse_moment

_LOST = "this run has lost its lock, so another run may have published meanwhile.  Run again."

PublishedMoment: TypeAlias = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z$"
        }
    ),
]


class GeminiFields(Struct, frozen=True, kw_only=True, tag_field="provider", tag="gemini"):
    """Name it as cachedContent in a request."""

    cache_name: Text
    expires_at: PublishedMoment | UnsetType = UNSET


class CacheControlFields(Struct, frozen=True, kw_only=True):
    """Anthropic's marker of a cache breakpoint."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"]


class ClaudeFields(Struct, frozen=True, kw_only=True, tag_field="provider", tag="claude"):
    """Put cache_control on the last block of the shared prefix."""

    cache_control: CacheControlFields


class CacheOptionsFields(Struct, frozen=True, kw_only=True):
    """OpenAI's caching options of a request."""

    ttl: Literal["30m", "12h"]


class OpenAIFields(Struct, frozen=True, kw_only=True, tag_field="provider", tag="openai"):
    """Merge everything but provider into a request."""

    prompt_cache_key: str | UnsetType = UNSET
    prompt_cache_options: CacheOptionsFields | UnsetType = UNSET
    prompt_cache_retention: Literal["in_memory", "24h"] | UnsetType = UNSET


HandleFields: TypeAlias = Annotated[
    GeminiFields | ClaudeFields | OpenAIFields,
    Meta(
        extra_json_schema={"not": {"required": ["prompt_cache_options", "prompt_cache_retention"]}}
    ),
]


class PreviousFields(Struct, frozen=True, kw_only=True):
    """A handle that is being retired."""

    handle: GeminiFields
    until: PublishedMoment


class HandleEntry(Struct, frozen=True, kw_only=True):
    """
    A cache, as an application needs it.

    expires_at: Do not use the handle from then on. Null: it has no such moment.
    previous: What this name had before, for conversations that still hold it.
    """

    handle: HandleFields
    model: Text
    digest: Digest
    expires_at: PublishedMoment | None
    previous: PreviousFields | None

    @classmethod
    def of(cls, record: Recorded, retiring: RetiringCache | None) -> Self:
        expiry = _expiry(record)
        return made_of(
            cls,
            record,
            handle=convert(record.handle.as_json(), HandleFields),
            expires_at=moment_text(expiry) if expiry else None,
            previous=_previous(retiring) if retiring else None,
        )


class HandlesFile(Struct, frozen=True, kw_only=True):
    """
    Handles that ctxprov published.

    What applications need to use the caches of a stack. A name that is not here is cold: send
    its content inline.

    generated_at: When this was last different; a run that changes nothing leaves it.
    """

    version: Literal[1]
    stack: Text
    generated_at: PublishedMoment
    caches: dict[CacheName, HandleEntry]

    @classmethod
    def of(cls, state: State, *, hidden: Collection[str], now: datetime) -> Self:
        """The handles that are alive at *now*; names in *hidden* are left out."""
        previous = _latest(state.retiring.values(), now)
        return cls(
            version=1,
            stack=state.stack,
            generated_at=moment_text(now),
            caches={
                name: HandleEntry.of(record, previous.get(name))
                for name, record in state.caches.items()
                if name not in hidden and not _is_over(_expiry(record), now)
            },
        )


def handles_bytes(state: State, *, hidden: Collection[str], now: datetime) -> bytes:
    """The document as it is published; names in *hidden* are left out."""
    return document_bytes(HandlesFile.of(state, hidden=hidden, now=now))


def handles_fields(state: State, *, hidden: Collection[str], now: datetime) -> dict[str, Json]:
    """The same as JSON in memory, to be part of another document."""
    fields: dict[str, Json] = to_builtins(HandlesFile.of(state, hidden=hidden, now=now))
    return fields


def _latest(retiring: Collection[RetiringCache], now: datetime) -> dict[str, RetiringCache]:
    """Of each name the retiring cache that lives longest."""
    alive = (cache for cache in retiring if not _is_over(cache.until, now))
    return {cache.name: cache for cache in sorted(alive, key=lambda cache: cache.until)}


def _previous(cache: RetiringCache) -> PreviousFields:
    handle = convert(cache.handle.as_json(), GeminiFields)
    return PreviousFields(handle=handle, until=moment_text(cache.until))


def _expiry(record: Recorded) -> datetime | None:
    return record.expires_at if isinstance(record, RecordedCache) else None


def _is_over(expiry: datetime | None, now: datetime) -> bool:
    return expiry is not None and now >= expiry


def publish(
    backend: Backend,
    name: str,
    content: bytes,
    *,
    is_ours: Callable[[], bool],
) -> bool:
    """
    Put the document into its backend, in one step, and say whether that was needed.

    A file that differs only in when it was generated is left alone, so that a
    program that watches it, and git, see no change where there is none.  *is_ours* says whether
    the lock of the state is still held.  It is asked between the read and the write, which replaces
    what was read: so a run that stood still overwrites nothing that its successor published.

    Raises PublishError, also if a newer ctxprov has published there, or the lock is lost.
    """
    where = backend.where(name)
    try:
        file = backend.read(name)
        if reserved := reserved_for(name):
            raise _taken(where, f"has the name of {reserved}")
        if file and not is_published(file.content):
            raise _taken(where, "was not written by ctxprov")
        if file and _says_the_same(file.content, content, where=where):
            return False
        if not is_ours():
            raise StateTaken(_LOST)
        backend.write(name, content, expected=file.version if file else None)
    except StateError as error:
        raise PublishError(
            f"the handles cannot be published: {error}  Applications go on with what was "
            "published before, and nothing that they may be using has been retired."
        ) from error
    return True


def _taken(where: str, why: str) -> PublishError:
    return PublishError(
        f"the handles cannot be published: {where} {why}.  Name another file in publish:, or move "
        "that one away, and run again.  Nothing that applications may be using has been retired."
    )


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
    match _json(raw):
        case {"version": int(), "stack": str(), "generated_at": str(), "caches": dict()}:
            return True
        case _:
            return not raw


def _says_the_same(old: bytes, new: bytes, *, where: str) -> bool:
    published, document = _json(old), parse_json(new)
    _refuse_newer(published, where)
    same = {"generated_at": document["generated_at"]}
    return isinstance(published, dict) and published | same == document


def _json(raw: bytes) -> Any:  # noqa: ANN401  # any JSON
    try:
        return parse_json(raw)
    except NotJson:
        return None


def _refuse_newer(document: Json, where: str) -> None:
    if why := later_version(document, HandlesFile):
        raise PublishError(newer(where, why))


class Published(Struct, frozen=True, kw_only=True):
    """A handle as an application finds it; an annotation has no expiry."""

    handle: CacheHandle
    expires_at: datetime | None


def parse_published(
    raw: bytes, *, where: str
) -> tuple[dict[str, Published | None], datetime | None]:
    """
    Read a published document, and when it was generated by the clock of the provider.

    Keys that only a newer ctxprov knows are passed over.

    An entry that cannot be read, such as one for a provider yet unknown here, is None and
    spoils no other.  Raises PublishError if the document as a whole makes none.
    """
    try:
        document = parse_json(raw)
    except NotJson as error:
        raise PublishError(f"{where} {error}") from error
    _refuse_newer(document, where)
    match document:
        case {"version": 1, "caches": dict(caches), **rest}:
            handles = {name: _published(entry) for name, entry in caches.items()}
            return handles, _moment(rest.get("generated_at"))
        case _:
            raise PublishError(f"{where} holds no handles that ctxprov published")


def _moment(spelled: Any) -> datetime | None:  # noqa: ANN401  # likewise
    try:
        return parse_moment(spelled)
    except (TypeError, ValueError):
        return None


def _published(entry: Any) -> Published | None:  # noqa: ANN401  # likewise
    try:
        expiry = entry["expires_at"]
        return Published(
            handle=handle_from_json(entry["handle"]),
            expires_at=None if expiry is None else parse_moment(expiry),
        )
    except (KeyError, TypeError, ValueError):
        return None
