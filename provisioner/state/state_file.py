"""
The state as bytes, and back.

JSON with sorted keys and a block for each cache, so that it diffs well.  The shape is
`schemas/state.schema.json`; it has no field for content or a credential.  Where the bytes
live is somebody else's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import orjson

from provisioner import __version__
from provisioner.cache import CACHE_NAME, Json, handle_from_json
from provisioner.documents import newer, utf8
from provisioner.errors import StateError, StateNewer
from provisioner.model import (
    ApprovedEdits,
    Disappearance,
    Life,
    Measure,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
    Revision,
    Scope,
    Settings,
    State,
    Ttl,
)
from provisioner.model.attributes import life_fields, parse_life, parse_settings, settings_fields
from provisioner.state.blocks import (
    Block,
    Misshapen,
    UnknownKey,
    block,
    count,
    each,
    maybe,
    moment,
    no_more,
    span,
    text,
    text_like,
    texts,
)
from provisioner.state.stack_settings import parse_stack_settings, stack_settings_json
from provisioner.times import duration_text, moment_text

VERSION = 1

_FORM = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_PIECE = re.compile(r"[0-9a-f]{12}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16,64}")
_VERSION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})[0-9A-Za-z.+-]{0,40}", re.ASCII)

_ENTRY = {"provider", "model", "digest", "life", "updated_at", "paths", "pieces", "size", "tokens"}
_CACHE = frozenset(_ENTRY | {"id", "settings", "created_at", "expires_at"})
_ANNOTATION = frozenset(_ENTRY | {"handle"})
_RETIRING = frozenset({"name", "provider", "model", "retire_after", "until", "expires_at"})
_STATE = frozenset({"version", "stack", "serial", "run", "providers", "caches", "retiring"})
_ABSENT: dict[str, Json] = {
    "run": None,
    "ctxprov_version": None,
    "stack_settings": None,
    "given": {},
    "disappeared": {},
    "moved_to": None,
    "moved_from": None,
    "rested": {},
    "approved": None,
    "last_edit": None,
}
"""What the states of an earlier ctxprov do not have."""
_ANNOTATED = frozenset({"claude", "openai"})

_REMEDY = (
    "Restore it from version control or a backup: ctxprov state push FILE --force puts that in its "
    "place.  Or move it away: the next run takes over every live cache of the manifest by its "
    "label and makes none of them again."
)


def state_bytes(state: State) -> bytes:
    document: dict[str, Json] = {
        "version": VERSION,
        "ctxprov_version": __version__,
        "stack": state.stack,
        "serial": state.serial,
        "run": state.run,
        "providers": {name: _scope_words(scope) for name, scope in state.providers.items()},
        "caches": {name: _record_words(record) for name, record in state.caches.items()},
        "retiring": {id_: _retiring_words(cache) for id_, cache in state.retiring.items()},
    }
    document |= {key: value for key, value in _optional_json(state).items() if value}
    return orjson.dumps(document, option=_FORM)


def _optional_json(state: State) -> dict[str, Json]:
    """What is written only if there is any."""
    settings, approved, last = state.stack_settings, state.approved, state.last_edit
    return {
        "stack_settings": stack_settings_json(settings) if settings else None,
        "given": dict(state.given),
        "disappeared": {
            provider: _disappearance_words(note) for provider, note in state.disappeared.items()
        },
        "moved_to": state.moved_to,
        "moved_from": state.moved_from,
        "rested": dict(state.rested),
        "approved": _approved_json(approved) if approved else None,
        "last_edit": _revision_json(last) if last else None,
    }


def _approved_json(approved: ApprovedEdits) -> dict[str, Json]:
    return {"fingerprint": approved.fingerprint, "edits": approved.digests}


def _revision_json(revision: Revision) -> dict[str, Json]:
    at = revision.committed_at
    return {"commit": revision.commit, "committed_at": moment_text(at) if at else None}


def _scope_words(scope: Scope) -> dict[str, Json]:
    return {"endpoint": scope.endpoint, "keys": scope.keys}


def _disappearance_words(note: Disappearance) -> dict[str, Json]:
    return {
        "since": moment_text(note.since) if note.since else None,
        "failed": note.failed,
        "remade": note.remade,
    }


def _record_words(record: Recorded) -> dict[str, Json]:
    words: dict[str, Json] = {
        "provider": record.provider,
        "model": record.model,
        "digest": record.digest,
        "life": _life_words(record.life),
        "updated_at": moment_text(record.updated_at),
        "paths": record.measure.paths,
        "pieces": dict(record.measure.pieces),
        "size": record.measure.size,
        "tokens": record.measure.tokens,
    }
    match record:
        case RecordedCache():
            words["id"] = record.id
            words["settings"] = _settings_words(record.settings)
            words["created_at"] = moment_text(record.created_at)
            words["expires_at"] = moment_text(record.expires_at)
        case RecordedAnnotation():
            words["handle"] = record.handle.as_json()
    return words


def _retiring_words(cache: RetiringCache) -> dict[str, Json]:
    return {
        "name": cache.name,
        "provider": cache.provider,
        "model": cache.model,
        "retire_after": duration_text(cache.retire_after),
        "until": moment_text(cache.until),
        "expires_at": moment_text(cache.expires_at) if cache.expires_at else None,
    }


def parse_state(raw: bytes, *, where: str, stack: str, remedy: str = _REMEDY) -> State:
    """
    Read what `state_bytes` wrote for *stack*.

    Raises StateError, which ends in the *remedy*, for anything else.
    """
    document = _loads(raw, where, remedy)
    match document:
        case {"version": 1, "stack": str(owner)} if owner != stack:
            raise StateError(
                f"{where} is the state of the stack {owner}, not of {stack}.  Two stacks cannot "
                "share one state: give each its own `state`, or rename the stack back."
            )
        case {"version": int(version)} if version > VERSION:
            why = f"its version is {version}, and {VERSION} is the latest that can be read"
            raise StateNewer(newer(where, why, by=_newer_writer(document)))
    try:
        return _state(document)
    except Misshapen as wrong:
        by = _newer_writer(document)
        if by or isinstance(wrong, UnknownKey):
            raise StateNewer(newer(where, str(wrong), by=by)) from wrong
        raise StateError(
            f"{where} is not a state that ctxprov wrote: {wrong}.  {remedy}"
        ) from wrong


def _newer_writer(document: Json) -> str | None:
    """The version of the ctxprov that wrote *document*, if it says so and that is a newer one."""
    match document:
        case {"ctxprov_version": str(version)} if _VERSION.fullmatch(version):
            return version if _numbers(version) > _numbers(__version__) else None
        case _:
            return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, _VERSION.findall(version)[0].split(".")))


def _loads(raw: bytes, where: str, remedy: str) -> Json:
    try:
        text = utf8(raw)
    except ValueError as error:
        raise StateError(f"{where} {error}.  {remedy}") from error
    try:
        document: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise StateError(f"{where} {_ailment(text, error)}.  {remedy}") from error
    return document


def _ailment(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw.strip():
        return "is empty"
    if not raw.strip(b"\0"):
        return "holds nothing but zeros, as files do after a power cut"
    if b"\n<<<<<<< " in raw:
        return "holds a merge that nobody resolved"
    if error.pos >= len(raw.decode(errors="replace").rstrip()):
        return f"ends in the middle, after {len(raw)} bytes"
    return f"is not JSON: line {error.lineno}, column {error.colno}"


def _state(document: Json) -> State:
    if isinstance(document, dict):
        document = {**_ABSENT, **document}
    fields = block(document, _STATE | _ABSENT.keys())
    if fields["version"] is True or fields["version"] != VERSION:
        raise Misshapen("version", f"this must be {VERSION}")
    if fields["ctxprov_version"] is not None:
        text(fields, "ctxprov_version")
    state = State(
        stack=text(fields, "stack"),
        serial=count(fields, "serial"),
        run=None if fields["run"] is None else text(fields, "run"),
        providers=MappingProxyType(each(fields, "providers", _scope)),
        caches=MappingProxyType(each(fields, "caches", _record)),
        retiring=MappingProxyType(each(fields, "retiring", _retiring)),
        stack_settings=maybe(fields, "stack_settings", parse_stack_settings),
        disappeared=MappingProxyType(each(fields, "disappeared", _disappearance)),
        given=MappingProxyType(each(fields, "given", _stack_name)),
        moved_to=maybe(fields, "moved_to", partial(_stack_name, "")),
        moved_from=maybe(fields, "moved_from", partial(_stack_name, "")),
        rested=MappingProxyType(each(fields, "rested", _rested)),
        approved=maybe(fields, "approved", _approved),
        last_edit=maybe(fields, "last_edit", _revision),
    )
    _refuse_double_ids(state)
    return state


def _stack_name(_: str, json: Json) -> str:
    if isinstance(json, str) and _STACK.fullmatch(json):
        return json
    raise Misshapen("", "this must be the name of a stack")


def _refuse_double_ids(state: State) -> None:
    owners = {
        **{id_: f"retiring.{id_}" for id_ in state.retiring},
        **{id_: f"given.{id_}" for id_ in state.given},
    }
    if len(owners) < len(state.retiring) + len(state.given):
        raise Misshapen("given", "what was given away is retiring here")
    for name, record in state.caches.items():
        if isinstance(record, RecordedCache):
            if other := owners.get(record.id):
                why = f"{record.id} is on record twice, also at {other}"
                raise Misshapen(f"caches.{name}.id", why)
            owners[record.id] = f"caches.{name}"


def _disappearance(_: str, json: Json) -> Disappearance:
    fields = block(json, frozenset({"since", "failed", "remade"}))
    if not isinstance(fields["failed"], bool):
        raise Misshapen("failed", "this must be true or false")
    return Disappearance(
        since=None if fields["since"] is None else moment(fields, "since"),
        failed=fields["failed"],
        remade=texts(fields, "remade"),
    )


def _scope(_: str, json: Json) -> Scope:
    fields = block(json, frozenset({"endpoint", "keys"}))
    keys = texts(fields, "keys")
    if not all(map(_FINGERPRINT.fullmatch, keys)):
        raise Misshapen("keys", "these must be fingerprints")
    return Scope(endpoint=text(fields, "endpoint"), keys=keys)


def _rested(name: str, json: Json) -> str:
    if not _NAME.fullmatch(name):
        raise Misshapen("", "this is not the name of a cache")
    return _digest(json)


def _digest(json: Json) -> str:
    if isinstance(json, str) and _DIGEST.fullmatch(json):
        return json
    raise Misshapen("", "this must be a SHA-256 as hexadecimal digits")


def _approved(json: Json) -> ApprovedEdits:
    fields = block(json, frozenset({"fingerprint", "edits"}))
    digests = texts(fields, "edits")
    if not all(map(_DIGEST.fullmatch, digests)):
        raise Misshapen("edits", "these must be SHA-256 as hexadecimal digits")
    return ApprovedEdits(fingerprint=text_like(fields, "fingerprint", _DIGEST), digests=digests)


def _revision(json: Json) -> Revision:
    fields = block(json, frozenset({"commit", "committed_at"}))
    at = fields["committed_at"]
    return Revision(
        commit=text_like(fields, "commit", _COMMIT),
        committed_at=None if at is None else moment(fields, "committed_at"),
    )


def _record(name: str, json: Json) -> Recorded:
    if not _NAME.fullmatch(name):
        raise Misshapen("", "this is not the name of a cache")
    if isinstance(json, dict) and "handle" in json:
        return _annotation(name, block(json, _ANNOTATION))
    return _cache(name, block(json, _CACHE))


def _cache(name: str, fields: Block) -> RecordedCache:
    provider = text(fields, "provider")
    if provider in _ANNOTATED:
        raise Misshapen("provider", f"{provider} keeps no caches")
    return RecordedCache(
        name=name,
        provider=provider,
        model=text(fields, "model"),
        digest=text_like(fields, "digest", _DIGEST),
        life=_life(fields),
        settings=_settings(fields),
        id=text_like(fields, "id", CACHE_NAME),
        created_at=moment(fields, "created_at"),
        updated_at=moment(fields, "updated_at"),
        expires_at=moment(fields, "expires_at"),
        measure=_measure(fields, counted=True),
    )


def _annotation(name: str, fields: Block) -> RecordedAnnotation:
    life = _life(fields)
    if not isinstance(life, Ttl):
        raise Misshapen("life", "an annotation has a ttl")
    try:
        handle = handle_from_json(fields["handle"])
    except ValueError as error:
        raise Misshapen("handle", str(error)) from error
    _check_handle(fields, handle.as_json())
    return RecordedAnnotation(
        name=name,
        provider=text(fields, "provider"),
        model=text(fields, "model"),
        digest=text_like(fields, "digest", _DIGEST),
        life=life,
        handle=handle,
        updated_at=moment(fields, "updated_at"),
        measure=_measure(fields, counted=False),
    )


def _check_handle(fields: Block, read: Mapping[str, Json]) -> None:
    try:
        no_more(fields["handle"], read)
    except UnknownKey as wrong:
        raise wrong.under("handle") from wrong
    provider = text(fields, "provider")
    if provider not in _ANNOTATED or read["provider"] != provider:
        raise Misshapen("handle", f"this is no handle of {provider}")


def _retiring(id_: str, json: Json) -> RetiringCache:
    if not CACHE_NAME.fullmatch(id_):
        raise Misshapen("", f"this must look like {CACHE_NAME.pattern}")
    fields = block(json, _RETIRING)
    return RetiringCache(
        name=text_like(fields, "name", _NAME),
        provider=text(fields, "provider"),
        model=text(fields, "model"),
        id=id_,
        retire_after=span(fields, "retire_after"),
        until=moment(fields, "until"),
        expires_at=None if fields["expires_at"] is None else moment(fields, "expires_at"),
    )


def _measure(fields: Block, *, counted: bool) -> Measure:
    return Measure(
        paths=texts(fields, "paths"),
        size=count(fields, "size"),
        tokens=count(fields, "tokens"),
        counted=counted,
        pieces=MappingProxyType(each(fields, "pieces", _piece)),
    )


def _piece(_: str, json: Json) -> str:
    if isinstance(json, str) and _PIECE.fullmatch(json):
        return json
    raise Misshapen("", "this must be the first digits of a digest")


def _life(fields: Block) -> Life:
    try:
        return _life_spelled(orjson.dumps(fields["life"]))
    except UnknownKey as wrong:
        raise wrong.under("life") from wrong
    except (TypeError, ValueError) as error:  # TypeError: nested too deeply to be spelled
        raise Misshapen("life", str(error)) from error


def _settings(fields: Block) -> Settings:
    try:
        return _settings_spelled(orjson.dumps(fields["settings"]))
    except UnknownKey as wrong:
        raise wrong.under("settings") from wrong
    except (TypeError, ValueError) as error:
        raise Misshapen("settings", str(error)) from error


# Ten thousand records share a handful of lives and settings: each is spelled and read once.

_life_words = lru_cache(maxsize=256)(life_fields)
_settings_words = lru_cache(maxsize=256)(settings_fields)


@lru_cache(maxsize=256)
def _life_spelled(json: bytes) -> Life:
    words = orjson.loads(json)
    life = parse_life(words)
    no_more(words, life_fields(life))
    return life


@lru_cache(maxsize=256)
def _settings_spelled(json: bytes) -> Settings:
    words = orjson.loads(json)
    settings = parse_settings(words)
    no_more(words, settings_fields(settings))
    return settings
