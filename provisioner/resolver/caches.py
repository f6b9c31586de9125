"""
Gemini caches: what an entry asks for, and what of it cannot last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

from provisioner.errors import Problem
from provisioner.manifest import CacheEntry, UriSpec
from provisioner.model import Adoption, DesiredCache, Label, Measure, Ttl
from provisioner.resolver.parts import is_of_files_api
from provisioner.times import duration_text

_HALF = Fraction(1, 2)
_DYING = (
    "an uploaded file dies after 48 hours, so the cache cannot be kept warm: use gs://, a file, "
    "or keep: once"
)
_MUTABLE = "is known by its address alone: give a revision, and change it with the content"


def cache_of(stack: str, entry: CacheEntry, digest: str, measure: Measure) -> DesiredCache:
    """What *entry* asks for."""
    return DesiredCache(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        digest=digest,
        life=entry.life,
        settings=entry.settings,
        label=Label(stack, entry.name, digest[:16]),
        measure=measure,
        adopt=Adoption.parse(entry.adopt) if entry.adopt else None,
        calls_per_hour=entry.calls_per_hour,
    )


def cache_problems(entry: CacheEntry) -> Iterator[Problem]:
    """Uploaded files that are gone when a cache kept warm has to be made again."""
    if entry.settings.keep == "warm" and isinstance(entry.life, Ttl):
        for part in entry.parts:
            if isinstance(part, UriSpec) and is_of_files_api(part.uri):
                yield part.place.problem(_DYING)


def cache_advice(entry: CacheEntry) -> Iterator[Problem]:
    """What may surprise whoever wrote *entry*."""
    for part in entry.parts:
        if isinstance(part, UriSpec) and not is_of_files_api(part.uri) and not entry.revision:
            yield part.place.problem(_MUTABLE)
    match entry.life, entry.settings.refresh_before:
        case Ttl(span), timedelta() as window if window > span / 2:
            whole, half = duration_text(span), duration_text(span / 2)
            message = f"is more than half of the ttl, {whole}: {half} is used"
            yield entry.at("refresh_before").problem(message)
        case Ttl(), Fraction() as share if share > _HALF:
            yield entry.at("refresh_before").problem("is more than half: 50% is used")
        case _:
            pass
