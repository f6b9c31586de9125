"""
Facts: what the applier saw to be true after a call.  Facts, and only facts, make a state.

Beside them stands what a change calls, and how each change of a plan ended, which makes no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from provisioner.documents import Digest, Text, must
from provisioner.errors import CtxprovError
from provisioner.model.attributes import Life
from provisioner.model.changes import Change
from provisioner.model.records import Recorded, RecordedCache, RetiringCache
from provisioner.model.stack_settings import StackSettings


class Exists(Struct, frozen=True):
    """This cache is there; the live one that its name had before, if any, is to retire."""

    record: RecordedCache
    retiring: RetiringCache | None = None


class Noted(Struct, frozen=True):
    """This is written down; no call was made for it."""

    record: Recorded
    retiring: RetiringCache | None = None


class Retired(Struct, frozen=True):
    """The cache with this id, recorded or retiring until now, dies at `expires_at`."""

    id: str
    expires_at: datetime


class Gone(Struct, frozen=True):
    """The cache with this id is there no more."""

    id: str


class Surplus(Struct, frozen=True):
    """This cache, which no name has, was made by a create of ours that made two; it retires."""

    retiring: RetiringCache


class Renamed(Struct, frozen=True):
    """What was on record under one name is so under another, if nothing else is by now."""

    old: str
    new: str


class Dropped(Struct, frozen=True):
    """The annotation with this name is no longer wanted."""

    name: str


Fact: TypeAlias = Exists | Noted | Retired | Gone | Surplus | Renamed | Dropped


Fingerprint: TypeAlias = Annotated[str, must("be a fingerprint", pattern=r"^[0-9a-f]{16,64}\Z")]


class Scope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a provider's caches live, as the state has it."""

    endpoint: Text
    keys: Annotated[
        tuple[Fingerprint, ...],
        Meta(
            description="Fingerprints of the API keys that reached them; "
            "they cannot be turned back into keys."
        ),
    ]


class Disappearance(Struct, frozen=True, kw_only=True):
    """The recorded caches of a project that went missing together, and what was done then."""

    since: datetime | None = None
    """When a run first saw it, by the clock of the project; None once they show again."""
    failed: bool = False
    """Whether a cache that was made as a probe did not show."""
    remade: tuple[str, ...] = ()
    """Ids of the caches that were made again since."""


class Revision(Struct, frozen=True, kw_only=True):
    """A commit of the repository, and when it was committed (aware UTC), if git can tell."""

    commit: str
    committed_at: datetime | None = None


class ApprovedEdits(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"digests": "edits"}
):
    """What the last apply was to perform by an approval from elsewhere, as the state has it."""

    fingerprint: Digest
    digests: Annotated[tuple[Digest, ...], Meta(description="Of its edits, sorted.")]


class State(Struct, frozen=True, kw_only=True):
    """What is remembered of a stack between runs."""

    stack: str
    serial: int = 0
    run: str | None = None
    """Names the run that wrote it, so that no two runs ever write the same bytes."""
    providers: Mapping[str, Scope] = field(default_factory=lambda: MappingProxyType({}))
    caches: Mapping[str, Recorded] = field(default_factory=lambda: MappingProxyType({}))
    """By name."""
    retiring: Mapping[str, RetiringCache] = field(default_factory=lambda: MappingProxyType({}))
    """By id."""
    stack_settings: StackSettings | None = None
    """Those of the last apply; None in a state of an earlier ctxprov."""
    given: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Ids of caches that another stack has now, and which: neither strays nor twins here."""
    disappeared: Mapping[str, Disappearance] = field(default_factory=lambda: MappingProxyType({}))
    """By provider."""
    moved_to: str | None = None
    """The stack that has all of this now; runs under the old name are refused."""
    moved_from: str | None = None
    """The stack whose records these were."""
    rested: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Digests of edits that could not be done and are open no longer, by name."""
    approved: ApprovedEdits | None = None
    """As long as something of it is left to be done."""
    last_edit: Revision | None = None
    """Of the last apply that performed an edit."""

    @property
    def live_records(self) -> tuple[RecordedCache, ...]:
        """Of the caches that have a name, in the order of their records; of no annotation."""
        return tuple(record for record in self.caches.values() if isinstance(record, RecordedCache))

    @property
    def ids(self) -> frozenset[str]:
        """Of all live caches on record, also of those that are retiring."""
        return frozenset((*(record.id for record in self.live_records), *self.retiring))


class Done(Struct, frozen=True):
    """It is so."""


class Failed(Struct, frozen=True):
    """It is not so, or not wholly; the next run tries again."""

    error: CtxprovError


class NotAttempted(Struct, frozen=True):
    """It was never begun, or not carried to its end, for a reason that lies elsewhere."""

    why: str
    refused: bool = False
    """Whether a safeguard held it back, so that nothing failed."""


Outcome: TypeAlias = Done | Failed | NotAttempted


class Result(Struct, frozen=True):
    """How *change* ended."""

    change: Change
    outcome: Outcome


class Call(Struct, frozen=True, kw_only=True):
    """A request to the provider, without its content and its key."""

    method: Literal["POST", "PATCH", "DELETE"]
    path: str
    life: Life | None = None
