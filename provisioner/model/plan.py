"""
A plan: changes and edits, the fingerprint of the edits, and their approval as one argument.

A comment under a review carries an approval, `approved` prints it, and `apply --expect` takes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Self

from msgspec import Meta, Struct, field

from provisioner.documents import Name, ShownText, StackText, must
from provisioner.model.attributes import After, after_fields
from provisioner.model.changes import Blocked, Cause, Change
from provisioner.model.stack_settings import SettingEdit

_ENCODER = json.JSONEncoder(sort_keys=True)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIMIT = re.compile(r"(delete|replace)\.(count|percent)|rent_per_hour|rent_total_per_30_days")


class Edit(Struct, frozen=True):
    """The repository says something else of a name; `after` is None if it removed the name."""

    name: str
    after: After | None

    def digest(self, stack: str) -> str:
        """
        SHA-256 over stack and environment, name and after.

        The same wherever and whenever it is computed; an approval names edits by it.
        """
        after = after_fields(self.after) if self.after else None
        return sha256(_ENCODER.encode([stack, self.name, after]).encode()).hexdigest()


@lru_cache(maxsize=4)
def digests_of(
    stack: str, edits: frozenset[Edit], settings: tuple[SettingEdit, ...]
) -> frozenset[str]:
    """Of each edit of *stack*."""
    every: tuple[Edit | SettingEdit, ...] = (*edits, *settings)
    return frozenset(edit.digest(stack) for edit in every)


def fingerprint_of(stack: str, digests: Iterable[str]) -> str:
    """SHA-256 over the name of the stack and the sorted digests of its edits."""
    return sha256(json.dumps([stack, sorted(digests)]).encode()).hexdigest()


class Leftover(Struct, frozen=True, kw_only=True):
    """
    What a branch leaves alive, since it declares a stack no longer.

    successor: The name that the stack has from now on; null if it is gone.
    state: Where its state is.
    usual: Whether that is only where a state is without CTXPROV_STATE.
    key_envs: By provider, the variable with the key of its project.
    """

    stack: StackText
    successor: StackText | None
    caches: Annotated[tuple[Name, ...], Meta(max_length=10_000)]
    state: ShownText
    usual: bool
    key_envs: Annotated[
        Mapping[
            Annotated[
                str, must("be the name of a provider", pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")
            ],
            Annotated[
                str,
                must(
                    "be a variable with GEMINI or GOOGLE in its name",
                    pattern=r"^([A-Z_][A-Z0-9_]*)?(GEMINI|GOOGLE)[A-Z0-9_]*\Z",
                    max_length=128,
                ),
            ],
        ],
        Meta(max_length=100),
    ]


class Plan(Struct, frozen=True, kw_only=True):
    """What to do, decided at one moment."""

    stack: str
    at: datetime
    """By the local clock, aware UTC."""
    changes: tuple[Change, ...]
    edits: frozenset[Edit]
    settings: tuple[SettingEdit, ...] = ()
    """Edits of the settings of the stack, by key."""
    leftover: Leftover | None = None
    """Of a stack that was declared where this one, or nothing, is now."""
    ahead: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    """How far each provider's clock is ahead of the local one; a missing one agrees."""
    rested: frozenset[Edit] = frozenset()
    """Edits that an apply could not do, and that are open no longer."""
    left_out: tuple[Change, ...] = ()
    """What selecting names took from it: all that stays as it is."""

    @property
    def now(self) -> datetime:
        """The moment by the clocks of the providers, which are the ones to show."""
        return self.at + self.furthest

    @property
    def furthest(self) -> timedelta:
        """How far the foremost of the providers' clocks is ahead of the local one."""
        return max(self.ahead.values(), default=timedelta())

    def now_of(self, provider: str) -> datetime:
        """The moment by the clock of one provider."""
        return self.at + self.ahead.get(provider, timedelta())

    @property
    def is_partial(self) -> bool:
        return bool(self.left_out)

    @property
    def pending(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.is_pending)

    @property
    def causes(self) -> frozenset[Cause]:
        """Of all that is pending."""
        edited = {Cause.EDIT} if self.settings else set()
        causes = {change.reason.cause for change in self.pending}
        return frozenset(cause for cause in (*causes, *edited) if cause)

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        return tuple(change for change in self.changes if isinstance(change, Blocked))

    @property
    def refused(self) -> tuple[Blocked, ...]:
        """What is blocked and does not rest."""
        rested = {edit.name for edit in self.rested}
        return tuple(change for change in self.blocked if change.name not in rested)

    @property
    def digests(self) -> frozenset[str]:
        """Of each of its edits."""
        return digests_of(self.stack, self.edits, self.settings)

    @property
    def fingerprint(self) -> str:
        """
        Of its edits: the same wherever and whenever it is computed.

        What is approved for one environment is not for another.
        """
        return fingerprint_of(self.stack, self.digests)


class ApprovalText(Struct, frozen=True, kw_only=True):
    """An approval as far as its text says it; without digests it has only their fingerprint."""

    fingerprint: str
    limits: frozenset[str] = frozenset()
    """By dotted key, those that were shown as broken: no other may be passed."""
    digests: frozenset[str] = frozenset()
    """Of the approved edits."""

    def __str__(self) -> str:
        return ",".join([self.fingerprint, *sorted(self.limits), *sorted(self.digests)])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an approval.  Raises ValueError for anything else."""
        fingerprint, *more = text.split(",")
        limits = frozenset(filter(_LIMIT.fullmatch, more))
        digests = frozenset(filter(_DIGEST.fullmatch, more))
        if not _DIGEST.fullmatch(fingerprint) or not limits | digests >= set(more):
            raise ValueError("it is not a fingerprint of 64 digits, followed by limits and edits")
        return cls(fingerprint=fingerprint, limits=limits, digests=digests)
