"""
The state of a stack as its file: the structs that write it, read it and describe it.

JSON with sorted keys and a block for each cache, so that it diffs well.  It has no field for
content or a credential.  Which backend keeps the bytes is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, overload

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from provisioner import __version__
from provisioner.cache import CACHE_NAME, CacheHandle, Json, handle_from_json
from provisioner.documents import (
    CacheName,
    Digest,
    DurationText,
    Fault,
    MomentText,
    NotJson,
    Text,
    WholeNumber,
    document_bytes,
    faults,
    newer,
    parse_json,
    read_document,
    sorted_json,
)
from provisioner.errors import StateError, StateNewer
from provisioner.model import (
    ApprovedEdits,
    Disappearance,
    Measure,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
    Revision,
    Scope,
    StackSettings,
    State,
    Ttl,
)
from provisioner.model.attributes import LifeFields, OneLife, SettingsFields
from provisioner.model.limits import HALF, Allowance, Bound, Limits
from provisioner.model.stack_settings import decimal_text
from provisioner.times import duration_text, moment_text, parse_duration, parse_moment

StackName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?\Z",
        description="STACK or STACK.ENVIRONMENT.",
        extra={"must": "be the name of a stack"},
    ),
]
LiveId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{CACHE_NAME.pattern}\Z",
        description="How a live cache is named.",
        extra={"must": "be the id of a cache, such as cachedContents/abc123"},
    ),
]
PieceDigest: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^[0-9a-f]{12}\Z", extra={"must": "be the first 12 digits of a digest"}),
]
Amount: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?\Z", extra={"must": "be an amount, as text"}),
]
Most: TypeAlias = Annotated[
    Amount | None,
    Meta(description="Caches, percent or USD; null where the manifest sets no bound."),
]
_Read = TypeVar("_Read")
_Fields = TypeVar("_Fields")

_NEWER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})[0-9A-Za-z.+-]{0,40}", re.ASCII)
_ANNOTATED = frozenset({"claude", "openai"})
_STATED = "the state"
"""Where a bound stands that the last apply recorded."""

_REMEDY = (
    "Restore it from version control or a backup: ctxprov state push FILE --force puts that in its "
    "place.  Or move it away: the next run takes over every live cache of the manifest by its "
    "label and makes none of them again."
)


class _RecordFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The fields of every record.

    digest: SHA-256 over everything immutable.
    paths: Content files, as the manifest spells them.
    pieces: The first digits of the digest of each piece of content, so that a change can be
        named.
    size: Bytes of content; 0 if they are unknown.
    tokens: The provider's count; an estimate for an annotation; 0 if unknown.
    """

    provider: Text
    model: Text
    digest: Digest
    updated_at: MomentText
    paths: tuple[str, ...]
    pieces: Mapping[str, PieceDigest]
    size: WholeNumber
    tokens: WholeNumber

    def measure(self, *, counted: bool) -> Measure:
        return Measure(
            paths=self.paths,
            size=self.size,
            tokens=self.tokens,
            counted=counted,
            pieces=MappingProxyType(self.pieces),
        )


class CacheFields(_RecordFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cache on record."""

    id: LiveId
    life: OneLife
    settings: SettingsFields
    created_at: MomentText
    expires_at: MomentText

    @classmethod
    def of(cls, record: RecordedCache) -> Self:
        measure = record.measure
        return cls(
            provider=record.provider,
            model=record.model,
            digest=record.digest,
            id=record.id,
            life=_life_fields(record.life),
            settings=_settings_fields(record.settings),
            created_at=moment_text(record.created_at),
            updated_at=moment_text(record.updated_at),
            expires_at=moment_text(record.expires_at),
            paths=measure.paths,
            pieces=dict(measure.pieces),
            size=measure.size,
            tokens=measure.tokens,
        )

    def record(self, name: str) -> RecordedCache:
        if self.provider in _ANNOTATED:
            raise Fault("provider", f"{self.provider} keeps no caches")
        try:
            return RecordedCache(
                name=name,
                provider=self.provider,
                model=self.model,
                digest=self.digest,
                life=_life(self.life),
                settings=_settings(self.settings),
                id=self.id,
                created_at=_moment(self.created_at),
                updated_at=_moment(self.updated_at),
                expires_at=_moment(self.expires_at),
                measure=self.measure(counted=True),
            )
        except ValueError as error:
            for key, read in _CHECKS.items():
                _at(key, read, getattr(self, key))
            raise Fault("", str(error)) from error


class TtlFields(Struct, frozen=True, forbid_unknown_fields=True):
    """An annotation has a ttl."""

    ttl: DurationText


class AnnotationFields(_RecordFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An annotation on record."""

    life: TtlFields
    handle: Annotated[
        Raw,
        Meta(
            extra_json_schema={
                "type": "object",
                "required": ["provider"],
                "properties": {"provider": {"enum": ["claude", "openai", "gemini"]}},
            }
        ),
    ]

    @classmethod
    def of(cls, record: RecordedAnnotation) -> Self:
        measure = record.measure
        return cls(
            provider=record.provider,
            model=record.model,
            digest=record.digest,
            life=TtlFields(duration_text(record.life.span)),
            handle=Raw(sorted_json(record.handle.as_json())),
            updated_at=moment_text(record.updated_at),
            paths=measure.paths,
            pieces=dict(measure.pieces),
            size=measure.size,
            tokens=measure.tokens,
        )

    def record(self, name: str) -> RecordedAnnotation:
        return RecordedAnnotation(
            name=name,
            provider=self.provider,
            model=self.model,
            digest=self.digest,
            life=Ttl(_at("life.ttl", parse_duration, self.life.ttl)),
            handle=_at("handle", self._handle, parse_json(bytes(self.handle))),
            updated_at=_at("updated_at", parse_moment, self.updated_at),
            measure=self.measure(counted=False),
        )

    def _handle(self, fields: Json) -> CacheHandle:
        handle = handle_from_json(fields)
        _refuse_new_keys(fields, handle.as_json())
        if self.provider not in _ANNOTATED or handle.as_json()["provider"] != self.provider:
            raise ValueError(f"this is no handle of {self.provider}")
        return handle


class RetiringFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A replaced or removed cache.

    until: It certainly lives until then, unless another program ends it.
    expires_at: As the server says once it is retired; null while that is to be done.
    """

    name: CacheName
    provider: Text
    model: Text
    retire_after: DurationText
    until: MomentText
    expires_at: MomentText | None

    @classmethod
    def of(cls, cache: RetiringCache) -> Self:
        return cls(
            name=cache.name,
            provider=cache.provider,
            model=cache.model,
            retire_after=duration_text(cache.retire_after),
            until=moment_text(cache.until),
            expires_at=moment_text(cache.expires_at) if cache.expires_at else None,
        )

    def cache(self, id_: str) -> RetiringCache:
        return RetiringCache(
            name=self.name,
            provider=self.provider,
            model=self.model,
            id=id_,
            retire_after=_at("retire_after", parse_duration, self.retire_after),
            until=_at("until", parse_moment, self.until),
            expires_at=_at("expires_at", parse_moment, self.expires_at),
        )


class DisappearanceFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Recorded caches that went missing together.

    failed: Whether a cache that was made as a probe did not show.
    remade: Ids of the caches that were made again.
    """

    since: MomentText | None
    failed: bool
    remade: tuple[str, ...]

    @classmethod
    def of(cls, note: Disappearance) -> Self:
        since = moment_text(note.since) if note.since else None
        return cls(since=since, failed=note.failed, remade=note.remade)

    def note(self) -> Disappearance:
        since = _at("since", parse_moment, self.since)
        return Disappearance(since=since, failed=self.failed, remade=self.remade)


class RevisionFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A commit."""

    commit: Annotated[
        str, Meta(pattern=r"^[0-9a-f]{40,64}\Z", extra={"must": "be the SHA of a commit"})
    ]
    committed_at: MomentText | None

    @classmethod
    def of(cls, revision: Revision) -> Self:
        at = revision.committed_at
        return cls(commit=revision.commit, committed_at=moment_text(at) if at else None)

    def revision(self) -> Revision:
        at = _at("committed_at", parse_moment, self.committed_at)
        return Revision(commit=self.commit, committed_at=at)


class AllowanceFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the caches on record edits may take."""

    count: Most
    percent: Most
    of_at_least: WholeNumber

    @classmethod
    def of(cls, allowance: Allowance) -> Self:
        return cls(
            count=_most(allowance.count),
            percent=_most(allowance.percent),
            of_at_least=allowance.of_at_least,
        )

    def allowance(self) -> Allowance:
        allowance = Allowance(
            count=_bound(self.count), percent=_bound(self.percent), of_at_least=self.of_at_least
        )
        return HALF if allowance == HALF else allowance


class LimitsFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of the stack."""

    delete: AllowanceFields
    replace: AllowanceFields
    rent_per_hour: Most
    rent_total_per_30_days: Most


class KeyFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A provider that keeps caches.

    key_env: The variable that holds its key.
    """

    type: Literal["gemini"]
    key_env: Text | None


class StackSettingsFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The settings of a stack that are no cache's.

    providers: Those that keep caches, each with the variable that holds its key.
    state: SHA-256 of the address of the state.
    """

    limits: LimitsFields
    providers: Mapping[str, KeyFields]
    publish: Text | None
    state: Digest

    @classmethod
    def of(cls, settings: StackSettings) -> Self:
        limits, keys = settings.limits, settings.key_envs
        return cls(
            limits=LimitsFields(
                delete=AllowanceFields.of(limits.delete),
                replace=AllowanceFields.of(limits.replace),
                rent_per_hour=_most(limits.rent_per_hour),
                rent_total_per_30_days=_most(limits.rent_total),
            ),
            providers={name: KeyFields(type="gemini", key_env=key) for name, key in keys.items()},
            publish=settings.publish,
            state=settings.state,
        )

    def settings(self) -> StackSettings:
        limits = self.limits
        return StackSettings(
            limits=Limits(
                delete=limits.delete.allowance(),
                replace=limits.replace.allowance(),
                rent_per_hour=_bound(limits.rent_per_hour),
                rent_total=_bound(limits.rent_total_per_30_days),
            ),
            key_envs=MappingProxyType({name: key.key_env for name, key in self.providers.items()}),
            publish=self.publish,
            state=self.state,
        )


class StateFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    State of a ctxprov stack.

    What ctxprov remembers of a stack between runs. Written by ctxprov alone; it holds no
    content and no credential.

    ctxprov_version: The ctxprov that wrote this; a newer one may have written what an older one
        cannot read.
    stack: Whose state this is.
    serial: Goes up by one with every save of something new.
    run: Names the run that wrote this, so that no two runs ever write the same bytes.
    providers: Where the caches of each provider live.
    caches: What is on record, by name.
    retiring: Replaced and removed caches that are left to die, by id.
    stack_settings: Settings of the stack as the last apply left them; absent in older states.
    given: Ids of caches that state mv gave to another stack, and to which; absent if there are
        none. They are never strays here.
    disappeared: By provider: recorded caches that went missing together, since when, whether a
        cache that was made as a probe did not show, and the ids that were made again; absent if
        there is none.
    moved_to: The stack that has all of this since state rename-stack; runs under the old name
        are refused.
    moved_from: The stack whose records these were before state rename-stack.
    rested: Digests of edits that an apply could not do and that are open no longer, by name.
    approved: What an apply is to perform by an approval, as long as something of it is left.
    last_edit: The commit of the last apply that performed an edit.
    """

    version: Literal[1]
    ctxprov_version: Text | UnsetType | None = UNSET
    stack: Text
    serial: WholeNumber
    run: Text | UnsetType | None = UNSET
    providers: dict[str, Scope]
    caches: dict[
        CacheName,
        Annotated[
            Raw,
            Meta(
                extra_json_schema={
                    "if": {"type": "object", "required": ["handle"]},
                    "then": {"$ref": "#/$defs/AnnotationFields"},
                    "else": {"$ref": "#/$defs/CacheFields"},
                }
            ),
        ],
    ]
    retiring: dict[LiveId, RetiringFields]
    stack_settings: StackSettingsFields | None = None
    given: dict[str, StackName] = {}
    disappeared: dict[str, DisappearanceFields] = {}
    moved_to: StackName | None = None
    moved_from: StackName | None = None
    rested: dict[CacheName, Digest] = {}
    approved: ApprovedEdits | None = None
    last_edit: RevisionFields | None = None


_STATE = msgspec.json.Decoder(StateFile)
_CACHE = msgspec.json.Decoder(CacheFields)
_ANNOTATION = msgspec.json.Decoder(AnnotationFields)


def state_bytes(state: State) -> bytes:
    settings, last = state.stack_settings, state.last_edit
    return document_bytes(
        StateFile(
            version=1,
            ctxprov_version=__version__,
            stack=state.stack,
            serial=state.serial,
            run=state.run,
            providers=dict(state.providers),
            caches={name: _raw(record) for name, record in state.caches.items()},
            retiring={id_: RetiringFields.of(cache) for id_, cache in state.retiring.items()},
            stack_settings=StackSettingsFields.of(settings) if settings else None,
            given=dict(state.given),
            disappeared={
                provider: DisappearanceFields.of(note)
                for provider, note in state.disappeared.items()
            },
            moved_to=state.moved_to,
            moved_from=state.moved_from,
            rested=dict(state.rested),
            approved=state.approved,
            last_edit=RevisionFields.of(last) if last else None,
        )
    )


def parse_state(raw: bytes, *, where: str, stack: str, remedy: str = _REMEDY) -> State:
    """
    Read what `state_bytes` wrote for *stack*.

    Raises StateError, which ends in the *remedy*, for anything else.
    """
    try:
        file = read_document(raw, _STATE)
        _refuse_other(file.stack, stack, where)
        return _state(file)
    except NotJson as error:
        raise StateError(f"{where} {error}.  {remedy}") from error
    except Fault as fault:
        document = parse_json(raw)
        match document:
            case {"version": 1, "stack": str(owner)}:
                _refuse_other(owner, stack, where)
            case _:
                pass
        by = _newer_writer(document)
        if by or fault.is_new:
            raise StateNewer(newer(where, str(fault), by=by)) from fault
        raise StateError(
            f"{where} is not a state that ctxprov wrote: {fault}.  {remedy}"
        ) from fault


def _refuse_other(owner: str, stack: str, where: str) -> None:
    if owner != stack:
        raise StateError(
            f"{where} is the state of the stack {owner}, not of {stack}.  Two stacks cannot "
            "share one state: give each its own `state`, or rename the stack back."
        )


def _newer_writer(document: Json) -> str | None:
    """The version of the ctxprov that wrote *document*, if it says so and that is a newer one."""
    match document:
        case {"ctxprov_version": str(version)} if _NEWER.fullmatch(version):
            return version if _numbers(version) > _numbers(__version__) else None
        case _:
            return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, _NEWER.findall(version)[0].split(".")))


def _state(file: StateFile) -> State:
    settings, last = file.stack_settings, file.last_edit
    state = State(
        stack=file.stack,
        serial=file.serial,
        run=file.run or None,
        providers=MappingProxyType(file.providers),
        caches=_each("caches", _record, file.caches),
        retiring=_each("retiring", lambda id_, fields: fields.cache(id_), file.retiring),
        stack_settings=settings.settings() if settings else None,
        disappeared=_each("disappeared", lambda _, fields: fields.note(), file.disappeared),
        given=MappingProxyType(file.given),
        moved_to=file.moved_to,
        moved_from=file.moved_from,
        rested=MappingProxyType(file.rested),
        approved=file.approved,
        last_edit=_at("last_edit", RevisionFields.revision, last),
    )
    _refuse_double_ids(state)
    return state


def _refuse_double_ids(state: State) -> None:
    owners = {
        **{id_: f"retiring.{id_}" for id_ in state.retiring},
        **{id_: f"given.{id_}" for id_ in state.given},
    }
    if len(owners) < len(state.retiring) + len(state.given):
        raise Fault("given", "what was given away is retiring here")
    for name, record in state.caches.items():
        if isinstance(record, RecordedCache):
            if other := owners.get(record.id):
                why = f"{record.id} is on record twice, also at {other}"
                raise Fault(f"caches.{name}.id", why)
            owners[record.id] = f"caches.{name}"


def _raw(record: Recorded) -> Raw:
    match record:
        case RecordedCache():
            return Raw(sorted_json(CacheFields.of(record)))
        case RecordedAnnotation():
            return Raw(sorted_json(AnnotationFields.of(record)))


def _record(name: str, raw: Raw) -> Recorded:
    try:
        return _CACHE.decode(raw).record(name)
    except msgspec.ValidationError:
        pass
    try:
        return _ANNOTATION.decode(raw).record(name)
    except msgspec.ValidationError as error:
        json = parse_json(bytes(raw))
        shape = AnnotationFields if isinstance(json, dict) and "handle" in json else CacheFields
        raise next(faults(json, shape)) from error


def _refuse_new_keys(json: Json, read: Json, where: str = "") -> None:
    """Raise Fault if *json* has a key, at any depth, that what was *read* of it has not."""
    if isinstance(json, dict) and isinstance(read, Mapping):
        for key, value in json.items():
            if key not in read:
                raise Fault(where + key, "this key is unknown", is_new=True)
            _refuse_new_keys(value, read[key], f"{where}{key}.")


def _each(
    key: str, read: Callable[[str, Any], _Read], mapping: Mapping[str, Any]
) -> Mapping[str, _Read]:
    """Read the values of *mapping*, which is under *key*."""
    values = {}
    for name, fields in mapping.items():
        try:
            values[name] = read(name, fields)
        except Fault as fault:
            raise fault.under(name).under(key) from fault
    return MappingProxyType(values)


@overload
def _at(key: str, read: Callable[[_Fields], _Read], value: _Fields) -> _Read: ...
@overload
def _at(key: str, read: Callable[[_Fields], _Read], value: None) -> None: ...
def _at(key: str, read: Callable[[_Fields], _Read], value: _Fields | None) -> _Read | None:
    """Read the *value* under *key* by a function that raises ValueError."""
    try:
        return None if value is None else read(value)
    except Fault as fault:
        raise fault.under(key) from fault
    except ValueError as error:
        raise Fault(key, str(error)) from error


def _most(bound: Bound | None) -> str | None:
    return decimal_text(bound.most) if bound else None


def _bound(amount: str | None) -> Bound | None:
    return None if amount is None else Bound(Decimal(amount), _STATED)


# Ten thousand records share a handful of lives and settings: each is spelled and read once.

_life_fields = lru_cache(maxsize=256)(LifeFields.of)
_life = lru_cache(maxsize=256)(LifeFields.life)
_settings_fields = lru_cache(maxsize=256)(SettingsFields.of)
_settings = lru_cache(maxsize=256)(SettingsFields.settings)
_moment = lru_cache(maxsize=1024)(parse_moment)

_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "life": LifeFields.life,
    "settings": SettingsFields.settings,
    "created_at": parse_moment,
    "updated_at": parse_moment,
    "expires_at": parse_moment,
}
