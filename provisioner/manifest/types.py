"""
What a manifest says, once it is read: typed, defaults merged, nothing left to parse.

Each value that a later check may complain of has its place.  No file of content has been
opened yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct

from provisioner.cache import Json
from provisioner.errors import Problem
from provisioner.manifest.source_map import Place
from provisioner.model.attributes import Life, Settings, Ttl
from provisioner.model.stack_settings import Limits, StackSettings

DEFAULT_STATE = "state"
"""The address of the state where the manifest names none: a folder beside it."""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file, as the manifest spells its path; without a MIME type its name decides."""

    path: str
    mime_type: str | None
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UriSpec:
    """Something the provider fetches by itself."""

    uri: str
    mime_type: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class TextSpec:
    """A text that stands in the manifest."""

    text: str = field(repr=False)
    place: Place = field(repr=False, compare=False)


PartSpec: TypeAlias = FileSpec | UriSpec | TextSpec


@dataclass(frozen=True, slots=True)
class InlineJson:
    """Tools or their configuration, standing in the manifest."""

    value: Json
    place: Place = field(repr=False, compare=False)


class _Entry(Struct, frozen=True, kw_only=True):
    name: str
    model: str
    parts: tuple[PartSpec, ...]
    system_instruction: FileSpec | None
    tools: FileSpec | InlineJson | None
    tool_config: FileSpec | InlineJson | None
    """None for annotations."""
    revision: str | None
    calls_per_hour: float | None
    places: tuple[Place, ...]
    """All that declare keys of it, the nearest first: environment, entry, defaults."""

    def at(self, key: str) -> Place:
        """The nearest place of *key*; of an absent one, the nearest place."""
        return next((place / key for place in self.places if place.has(key)), self.places[0])


class CacheEntry(_Entry, frozen=True, kw_only=True):
    """An entry of gemini, or of a provider named for one of its projects."""

    kind: ClassVar[str] = "gemini"
    """The type of its provider."""

    provider: str
    life: Life
    settings: Settings
    adopt: str | None

    @property
    def is_warm(self) -> bool:
        """Whether its cache is made again when it would die."""
        return isinstance(self.life, Ttl) and self.settings.keep == "warm"


class AnnotationEntry(_Entry, frozen=True, kw_only=True):
    """A claude or openai entry.  Without a `ttl` the provider's own default holds."""

    provider: Literal["claude", "openai"]
    ttl: timedelta | None

    @property
    def kind(self) -> str:
        return self.provider


Entry: TypeAlias = CacheEntry | AnnotationEntry


class Frame(Struct, frozen=True, kw_only=True):
    """A stack but for its caches: its name, and where its state and handles are."""

    stack: str
    """The namespace of everything that outlasts a run: `STACK` or `STACK.ENVIRONMENT`."""
    root: Path
    """The folder of `ctxprov.yaml`; every path of the manifest starts there."""
    path: Path
    state: str | None
    publish: str | None
    places: Mapping[str, Place]
    """Where the keys of the stack stand, as far as they do."""
    providers: Mapping[str, str | None]
    """Those that keep caches: by name, the variable that holds the key, if one is named."""
    used: frozenset[str]
    """Those of them that entries use; gemini also if there is no entry, or one that is wrong."""
    is_warm: bool
    """Whether an entry asks for a cache that is kept warm, or might: one that is wrong."""

    def problem(self, key: str, message: str) -> Problem:
        """Complain of a key of the stack, at its place, or of the file if it is left out."""
        if place := self.places.get(key):
            return place.problem(message)
        return Problem(str(self.path), 1, 1, key, message)


class Manifest(Frame, frozen=True, kw_only=True):
    """One stack, in one of its environments if it has any."""

    limits: Limits
    moved: tuple[tuple[str, str], ...]
    """Old names of caches, each with its new one."""
    caches: Mapping[str, Entry]
    """By name, in the order of the files."""

    @property
    def settings(self) -> StackSettings:
        """What it says of the whole stack."""
        return StackSettings(
            limits=self.limits,
            key_envs=self.providers,
            publish=self.publish,
            state=sha256((self.state or DEFAULT_STATE).encode()).hexdigest(),
        )
