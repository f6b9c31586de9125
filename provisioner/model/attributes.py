"""
What the three tenses of a cache have in common: label, life, settings, measure, and *after*.

Lives and settings have one spelling as the fields of JSON, for state and plan, and it is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field, to_builtins

from provisioner.cache import Json
from provisioner.documents import DurationText, MomentText, must
from provisioner.times import duration_text, moment_text, parse_duration, parse_moment

TOLERANCE = timedelta(seconds=2)
"""How far two moments may lie apart and still be the same."""

_WORD = r"[a-z0-9][a-z0-9-]*"
_LABEL = re.compile(
    rf"ctxprov:(?P<stack>{_WORD}(?:\.{_WORD})?)/(?P<name>{_WORD})@(?P<mark>[0-9a-f]{{16}})"
    r"(?:~(?P<letters>[a-z]{4}))?",
    re.ASCII,
)


class Label(Struct, frozen=True):
    """
    The text in a live cache's display name: its stack, its name, and 16 digits of its digest.

    It identifies a cache that no run recorded.  The four letters at its end belong to one
    create and its retries.  They show which create made a cache, and not what the cache is:
    two labels that differ in nothing else are equal.
    """

    stack: str
    name: str
    mark: str
    letters: str = ""
    """Empty on labels of older releases, and on those that no create has sent yet."""

    def __str__(self) -> str:
        return f"{self.identity}~{self.letters}" if self.letters else self.identity

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, Label) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    @property
    def identity(self) -> str:
        """The text without the letters."""
        return f"ctxprov:{self.stack}/{self.name}@{self.mark}"

    @classmethod
    def of(cls, stack: str, name: str, digest: str) -> Self:
        return cls(stack, name, digest[:16])

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a display name; None if it is no label."""
        match = _LABEL.fullmatch(text)
        return cls(*match.groups(default="")) if match else None


class Adoption(Struct, frozen=True):
    """What `adopt:` names: a live cache, and the one content that this claim vouches for."""

    id: str
    mark: str | None = None
    """The first 16 digits of the content's digest; None vouches for any content."""

    def __str__(self) -> str:
        return f"{self.id}@{self.mark}" if self.mark else self.id

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ID` or `ID@DIGEST16`, whose form the manifest's schema has checked."""
        id_, _, mark = text.partition("@")
        return cls(id_, mark or None)

    def vouches_for(self, label: Label) -> bool:
        return self.mark in {None, label.mark}


class Ttl(Struct, frozen=True):
    """A life that every refresh starts over."""

    span: timedelta

    def end(self, begin: datetime) -> datetime:
        """When a life ends that is granted at *begin*."""
        return begin + self.span


class Until(Struct, frozen=True):
    """A life that ends at one moment (aware UTC) and is never refreshed."""

    moment: datetime

    def end(self, begin: datetime) -> datetime:  # noqa: ARG002  # as a ttl has it
        """That moment, whenever the life is granted."""
        return self.moment


Life: TypeAlias = Ttl | Until


class Settings(Struct, frozen=True, kw_only=True):
    """How a live cache is looked after.  It lives in the record, not on the server."""

    refresh_before: timedelta | Fraction = Fraction(1, 3)
    """The window before expiry, or its share of the granted life."""
    retire_after: timedelta = timedelta(hours=1)
    keep: Literal["warm", "once"] = "warm"
    protect: bool = False

    def window(self, granted: timedelta) -> timedelta:
        """How long before its expiry a cache is refreshed: never above half its life."""
        match self.refresh_before:
            case timedelta() as asked:
                return min(asked, granted / 2)
            case share:
                return min(granted * share.numerator / share.denominator, granted / 2)


UNKNOWN = 0
"""A size, or a count of tokens, that nothing here can know: no content is empty."""


class Measure(Struct, frozen=True, kw_only=True):
    """What a plan shows of content without showing any of it."""

    paths: tuple[str, ...] = ()
    """As the manifest spells them, in order."""
    size: int = UNKNOWN
    """Bytes; UNKNOWN if any part lies elsewhere."""
    tokens: int = UNKNOWN
    """An estimate, unless `counted`; UNKNOWN if any part lies elsewhere and none counted it."""
    counted: bool = False
    """Whether the provider counted the tokens."""
    pieces: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The first digits of each piece's digest: files, parts, and every leaf of tools."""


class After(Struct, frozen=True, kw_only=True):
    """What an entry asks for: two that are equal need no edit.  Annotations have no settings."""

    provider: str
    model: str
    digest: str
    life: Life
    settings: Settings | None


class LifeFields(Struct, frozen=True, forbid_unknown_fields=True):
    """A ttl starts again with every refresh; an expires_at stays."""

    ttl: DurationText | UnsetType = UNSET
    expires_at: MomentText | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.ttl is UNSET) is (self.expires_at is UNSET):
            raise ValueError("a life is a ttl or an expires_at")

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, life: Life) -> Self:
        match life:
            case Ttl(span):
                return cls(ttl=duration_text(span))
            case Until(moment):
                return cls(expires_at=moment_text(moment))

    def life(self) -> Life:
        """Raises ValueError for a text that has the form of a life and means none."""
        if self.ttl is UNSET:
            return Until(parse_moment(str(self.expires_at)))
        return Ttl(parse_duration(self.ttl))


OneLife: TypeAlias = Annotated[
    LifeFields, Meta(extra_json_schema={"minProperties": 1, "maxProperties": 1})
]


class SettingsFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a live cache is looked after."""

    keep: Literal["warm", "once"]
    protect: bool
    refresh_before: Annotated[
        str,
        must(
            "be a duration, or a share such as 25% or 1/3",
            pattern=r"^(([0-9]{1,9}[smhd])+|[0-9]{1,2}%|[0-9]+/[0-9]+)\Z",
            description="A duration, or a share of the granted life: 25% or 1/3.",
        ),
    ]
    retire_after: Annotated[
        str,
        must(
            "be a duration: whole numbers with s, m, h or d, such as 90m or 1d12h",
            pattern=r"^([0-9]{1,9}[smhd])+\Z",
            description="Whole numbers with s, m, h and d, summed: 1h30m.",
        ),
    ]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, settings: Settings) -> Self:
        return cls(
            keep=settings.keep,
            protect=settings.protect,
            refresh_before=window_text(settings.refresh_before),
            retire_after=duration_text(settings.retire_after),
        )

    def settings(self) -> Settings:
        """Raises ValueError for a text that has the form of a setting and means none."""
        return Settings(
            keep=self.keep,
            protect=self.protect,
            refresh_before=parse_window(self.refresh_before),
            retire_after=parse_duration(self.retire_after),
        )


def life_fields(life: Life) -> dict[str, Json]:
    fields: dict[str, Json] = to_builtins(LifeFields.of(life))
    return fields


def settings_fields(settings: Settings) -> dict[str, Json]:
    fields: dict[str, Json] = to_builtins(SettingsFields.of(settings))
    return fields


def after_fields(after: After) -> dict[str, Json]:
    """What an entry asks for, in a fixed order."""
    return {
        "provider": after.provider,
        "model": after.model,
        "digest": after.digest,
        "life": life_fields(after.life),
        "settings": settings_fields(after.settings) if after.settings else None,
    }


def window_text(window: timedelta | Fraction) -> str:
    """A duration, a percentage, or a fraction if it is no whole percentage."""
    match window:
        case timedelta():
            return duration_text(window)
        case share if (share * 100).denominator == 1:
            return f"{share * 100}%"
        case share:
            return str(share)


def parse_window(text: str) -> timedelta | Fraction:
    """Read a duration, `25%` or `1/3`.  Raises ValueError if it is anything else."""
    if text.endswith("%"):
        share = Fraction(int(text.removesuffix("%")), 100)
    elif "/" in text:
        above, below = map(int, text.split("/", 1))
        if not below:
            raise ValueError("a share is not divided by 0")
        share = Fraction(above, below)
    else:
        return parse_duration(text)
    if not 0 < share < 1:
        raise ValueError("a share lies between 1% and 99%")
    return share
