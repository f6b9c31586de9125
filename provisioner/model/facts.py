"""
Facts: what the applier saw to be true after a call.  Facts, and only facts, make a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from provisioner.model.tenses import Recorded, RecordedCache, RetiringCache


@dataclass(frozen=True, slots=True)
class Exists:
    """This cache is there; the live one that its name had before, if any, is to retire."""

    record: RecordedCache
    retiring: RetiringCache | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """This is written down; no call was made for it."""

    record: Recorded
    retiring: RetiringCache | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """The cache with this id, recorded or retiring until now, dies at `expires_at`."""

    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """The cache with this id is there no more."""

    id: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """What was on record under one name is so under another, if nothing else is by now."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The annotation with this name is no longer wanted."""

    name: str


Fact: TypeAlias = Exists | Noted | Retired | Gone | Renamed | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """
    Where a provider's caches live: its endpoint, and the API keys that were seen to
    reach them, as fingerprints that cannot be turned back into keys.
    """

    endpoint: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
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
