"""
The state of a stack as its file: the structs that write it, read it and describe it.

JSON with sorted keys and a block for each cache, so that it diffs well.  It has no field for
content or a credential.  Which backend keeps the bytes is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

import provisioner
from provisioner.cache import Json
from provisioner.documents import (
    CacheName,
    Digest,
    Fault,
    Fields,
    MomentText,
    NotJson,
    Text,
    WholeNumber,
    document_bytes,
    must,
    newer,
    parse_json,
    read_document,
    read_value,
)
from provisioner.errors import StateError, StateNewer
from provisioner.model.facts import ApprovedEdits, Disappearance, Revision, Scope, State
from provisioner.model.records import RecordedCache, made_of
from provisioner.model.stack_settings import (
    HALF,
    Allowance,
    Bound,
    Limits,
    StackSettings,
    decimal_text,
)
from provisioner.state.record_fields import LiveId, RetiringFields, parse_record, record_json
from provisioner.times import moment_text, parse_moment

StackName: TypeAlias = Annotated[
    str,
    must(
        "be the name of a stack",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?\Z",
        description="STACK or STACK.ENVIRONMENT.",
    ),
]
Amount: TypeAlias = Annotated[
    str, must("be an amount, as text", pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?\Z")
]
Most: TypeAlias = Annotated[
    Amount | None,
    Meta(description="Caches, percent or USD; null where the manifest sets no bound."),
]
_StatePart = TypeVar("_StatePart")

_NEWER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})[0-9A-Za-z.+-]{0,40}", re.ASCII)
_STATED = "the state"
"""Where a bound stands that the last apply recorded."""

_REMEDY = (
    "Restore it from version control or a backup: ctxprov state push FILE --force puts that in its "
    "place.  Or move it away: the next run takes over every live cache of the manifest by its "
    "label and makes none of them again."
)


class DisappearanceFields(Fields, frozen=True, kw_only=True):
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
        since = read_value("since", parse_moment, self.since)
        return Disappearance(since=since, failed=self.failed, remade=self.remade)


class RevisionFields(Fields, frozen=True, kw_only=True):
    """A commit."""

    commit: Annotated[str, must("be the SHA of a commit", pattern=r"^[0-9a-f]{40,64}\Z")]
    committed_at: MomentText | None

    @classmethod
    def of(cls, revision: Revision) -> Self:
        at = revision.committed_at
        return cls(commit=revision.commit, committed_at=moment_text(at) if at else None)

    def revision(self) -> Revision:
        at = read_value("committed_at", parse_moment, self.committed_at)
        return Revision(commit=self.commit, committed_at=at)


class AllowanceFields(Fields, frozen=True, kw_only=True):
    """How many of the caches on record edits may take."""

    count: Most
    percent: Most
    of_at_least: WholeNumber

    @classmethod
    def of(cls, allowance: Allowance) -> Self:
        bounds = {"count": _most(allowance.count), "percent": _most(allowance.percent)}
        return made_of(cls, allowance, **bounds)

    def allowance(self) -> Allowance:
        bounds = {"count": _bound(self.count), "percent": _bound(self.percent)}
        allowance = made_of(Allowance, self, **bounds)
        return HALF if allowance == HALF else allowance


class LimitsFields(Fields, frozen=True, kw_only=True):
    """The limits of the stack."""

    delete: AllowanceFields
    replace: AllowanceFields
    rent_per_hour: Most
    rent_total_per_30_days: Most


class KeyFields(Fields, frozen=True, kw_only=True):
    """
    A provider that keeps caches.

    key_env: The variable that holds its key.
    """

    type: Literal["gemini"]
    key_env: Text | None


class StackSettingsFields(Fields, frozen=True, kw_only=True):
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
        return made_of(
            cls,
            settings,
            limits=LimitsFields(
                delete=AllowanceFields.of(limits.delete),
                replace=AllowanceFields.of(limits.replace),
                rent_per_hour=_most(limits.rent_per_hour),
                rent_total_per_30_days=_most(limits.rent_total_per_30_days),
            ),
            providers={name: KeyFields(type="gemini", key_env=key) for name, key in keys.items()},
        )

    def settings(self) -> StackSettings:
        limits = Limits(
            delete=self.limits.delete.allowance(),
            replace=self.limits.replace.allowance(),
            rent_per_hour=_bound(self.limits.rent_per_hour),
            rent_total_per_30_days=_bound(self.limits.rent_total_per_30_days),
        )
        key_envs = MappingProxyType({name: key.key_env for name, key in self.providers.items()})
        return made_of(StackSettings, self, limits=limits, key_envs=key_envs)


class StateFile(Fields, frozen=True, kw_only=True, omit_defaults=True):
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
    given: dict[str, StackName] = msgspec.field(default_factory=dict)
    disappeared: dict[str, DisappearanceFields] = msgspec.field(default_factory=dict)
    moved_to: StackName | None = None
    moved_from: StackName | None = None
    rested: dict[CacheName, Digest] = msgspec.field(default_factory=dict)
    approved: ApprovedEdits | None = None
    last_edit: RevisionFields | None = None


_STATE = msgspec.json.Decoder(StateFile)


def state_bytes(state: State) -> bytes:
    settings, last = state.stack_settings, state.last_edit
    notes = state.disappeared.items()
    return document_bytes(
        made_of(
            StateFile,
            state,
            version=1,
            ctxprov_version=provisioner.__version__,
            providers=dict(state.providers),
            caches={name: record_json(record) for name, record in state.caches.items()},
            retiring={id_: RetiringFields.of(cache) for id_, cache in state.retiring.items()},
            stack_settings=StackSettingsFields.of(settings) if settings else None,
            given=dict(state.given),
            disappeared={provider: DisappearanceFields.of(note) for provider, note in notes},
            rested=dict(state.rested),
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
    except ValueError as error:  # also bytes of a record that are no text
        raise _refusal(raw, error, where=where, stack=stack, remedy=remedy) from error


def _refusal(raw: bytes, error: ValueError, *, where: str, stack: str, remedy: str) -> StateError:
    try:
        document = parse_json(raw)
    except NotJson as flaw:
        return StateError(f"{where} {flaw}.  {remedy}")
    match document:
        case {"version": 1, "stack": str(owner)}:
            _refuse_other(owner, stack, where)
        case _:
            pass
    by = _newer_writer(document)
    if by or (isinstance(error, Fault) and error.is_new):
        return StateNewer(newer(where, str(error), by=by))
    return StateError(f"{where} is not a state that ctxprov wrote: {error}.  {remedy}")


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
            return version if _numbers(version) > _numbers(provisioner.__version__) else None
        case _:
            return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, _NEWER.findall(version)[0].split(".")))


def _state(file: StateFile) -> State:
    settings = file.stack_settings
    state = made_of(
        State,
        file,
        run=file.run or None,
        caches=_each("caches", parse_record, file.caches),
        retiring=_each("retiring", lambda id_, fields: fields.cache(id_), file.retiring),
        stack_settings=settings.settings() if settings else None,
        disappeared=_each("disappeared", lambda _, fields: fields.note(), file.disappeared),
        last_edit=read_value("last_edit", RevisionFields.revision, file.last_edit),
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


def _each(
    key: str, read: Callable[[str, Any], _StatePart], mapping: Mapping[str, Any]
) -> Mapping[str, _StatePart]:
    """Read the values of *mapping*, which is under *key*."""
    values = {}
    for name, fields in mapping.items():
        try:
            values[name] = read(name, fields)
        except Fault as fault:
            raise fault.under(name).under(key) from fault
    return MappingProxyType(values)


def _most(bound: Bound | None) -> str | None:
    return decimal_text(bound.most) if bound else None


def _bound(amount: str | None) -> Bound | None:
    return None if amount is None else Bound(Decimal(amount), _STATED)
