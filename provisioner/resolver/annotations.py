"""
Annotations: a claude or openai entry with a life that its provider has, and its handle.
"""

from __future__ import annotations

from datetime import timedelta

from provisioner.cache import CacheHandle
from provisioner.errors import ManifestError
from provisioner.manifest import AnnotationEntry
from provisioner.model import DesiredAnnotation, Measure, Ttl
from provisioner.model.model_catalog import Model
from provisioner.providers import claude, openai
from provisioner.times import duration_text


def annotation_of(
    stack: str, entry: AnnotationEntry, digest: str, measure: Measure, known: Model | None
) -> DesiredAnnotation:
    """
    What *entry* asks for, its handle computed by what is *known* of its model.

    Raises ManifestError if the provider has no such life.
    """
    ttl = _offered_ttl(entry, known)
    return DesiredAnnotation(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        digest=digest,
        life=Ttl(ttl),
        handle=_handle(stack, entry, ttl, known),
        measure=measure,
        calls_per_hour=entry.calls_per_hour,
    )


def _offered_ttl(entry: AnnotationEntry, known: Model | None) -> timedelta:
    """The life of *entry*, or else the default of its provider."""
    whose, offered = (
        (entry.provider, claude.TTLS)
        if entry.provider == "claude"
        else (entry.model, openai.ttls_of(entry.model, known))
    )
    if entry.ttl is None:
        return offered[0]
    if entry.ttl in offered:
        return entry.ttl
    lives = " or ".join(map(duration_text, sorted(offered)))
    message = f"must be {lives} for {whose}, not {duration_text(entry.ttl)}"
    raise ManifestError([entry.at("ttl").problem(message)])


def _handle(stack: str, entry: AnnotationEntry, ttl: timedelta, known: Model | None) -> CacheHandle:
    if entry.provider == "claude":
        return claude.handle_of(ttl)
    return openai.handle_of(openai.cache_key(stack, entry.name), entry.model, ttl, known)
