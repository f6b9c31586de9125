"""
From entries to what should exist: the straight line, and everything wrong on the way.

Decides what a cache or an annotation of each entry is, which lives a provider has for it, and
what of it cannot last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from msgspec import Struct

from provisioner.cache import CacheHandle
from provisioner.catalog import Catalog
from provisioner.checkout import Checkout
from provisioner.errors import ManifestError, Problem, each_once
from provisioner.manifest import (
    AnnotationEntry,
    CacheEntry,
    Folder,
    Manifest,
    UriSpec,
    read_manifest,
)
from provisioner.model.attributes import Adoption, Label, Measure, Ttl
from provisioner.model.model_catalog import Model
from provisioner.model.records import Desired, DesiredAnnotation, DesiredCache
from provisioner.resolver.content import Counter
from provisioner.resolver.model_checks import model_advice, model_problems
from provisioner.resolver.parts import is_of_files_api
from provisioner.times import duration_text

_HALF = Fraction(1, 2)
_DYING = (
    "an uploaded file dies after 48 hours, so the cache cannot be kept warm: use gs://, a file, "
    "or keep: once"
)
_MUTABLE = "is known by its address alone: give a revision, and change it with the content"


class Resolution(Struct, frozen=True):
    """What should exist, in the order of the manifest, and what is worth a warning."""

    desired: tuple[Desired, ...]
    warnings: tuple[Problem, ...]


def load_and_resolve(
    place: Path,
    catalog: Catalog,
    *,
    environment: str | None = None,
    checkout: Checkout | None = None,
    now: datetime,
    begun: Callable[[Manifest], None] = lambda _: None,
) -> tuple[Manifest, Resolution]:
    """
    Read the stack at *place* and resolve it; what is missing is looked up in *checkout*.

    Calls *begun* with the manifest before it reads any content.

    Raises ManifestError with every problem of both steps at once, and GitFailed if the
    checkout is not whole and git cannot tell what is missing.
    """
    draft = read_manifest(place, environment=environment, checkout=checkout)
    if draft.manifest is None:
        raise ManifestError(draft.problems)
    begun(draft.manifest)
    try:
        resolution = resolve(draft.manifest, catalog, checkout=checkout, now=now)
    except ManifestError as error:
        raise ManifestError((*draft.problems, *error.problems)) from error
    if draft.problems:
        raise ManifestError(draft.problems)
    return draft.manifest, resolution


def resolve(
    manifest: Manifest, catalog: Catalog, *, checkout: Checkout | None = None, now: datetime
) -> Resolution:
    """
    Look at every file of *manifest* and say what should exist.

    Raises ManifestError with everything that is wrong, and GitFailed as `load_and_resolve` does.
    """
    problems: list[Problem] = []
    counter = Counter(Folder(manifest.root, checkout), problems)
    warnings: list[Problem] = []
    desired: list[Desired] = []
    for entry in manifest.caches.values():
        problems += model_problems(entry, catalog)
        digest, measure = counter.count(entry)
        warnings += model_advice(entry, catalog, measure, now)
        match entry:
            case CacheEntry():
                problems += _cache_problems(entry)
                warnings += _cache_advice(entry)
                desired.append(_cache(manifest.stack, entry, digest, measure))
            case AnnotationEntry():
                model = catalog.find(entry.provider, entry.model)
                try:
                    desired.append(_annotation(manifest.stack, entry, digest, measure, model))
                except ManifestError as error:
                    problems += error.problems
    if problems:
        raise ManifestError(problems)
    return Resolution(tuple(desired), each_once(warnings))


def _annotation(
    stack: str, entry: AnnotationEntry, digest: str, measure: Measure, model: Model | None
) -> DesiredAnnotation:
    """
    What *entry* asks for, its handle computed by its *model*, if the catalog has that.

    Raises ManifestError if the provider has no such life.
    """
    ttl = _offered_ttl(entry, model)
    return DesiredAnnotation(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        digest=digest,
        life=Ttl(ttl),
        handle=_handle(stack, entry, ttl, model),
        measure=measure,
        calls_per_hour=entry.calls_per_hour,
    )


def _offered_ttl(entry: AnnotationEntry, model: Model | None) -> timedelta:
    """The life of *entry*, or else the default of its provider."""
    from provisioner.providers import claude, openai  # noqa: PLC0415  # for stacks that have some

    owner, offered = (
        (entry.provider, claude.TTLS)
        if entry.provider == "claude"
        else (entry.model, openai.ttls_of(entry.model, model))
    )
    if entry.ttl is None:
        return offered[0]
    if entry.ttl in offered:
        return entry.ttl
    lives = " or ".join(map(duration_text, sorted(offered)))
    message = f"must be {lives} for {owner}, not {duration_text(entry.ttl)}"
    raise ManifestError([entry.at("ttl").problem(message)])


def _handle(stack: str, entry: AnnotationEntry, ttl: timedelta, model: Model | None) -> CacheHandle:
    from provisioner.providers import claude, openai  # noqa: PLC0415  # for stacks that have some

    if entry.provider == "claude":
        return claude.handle_of(ttl)
    return openai.handle_of(openai.cache_key(stack, entry.name), entry.model, ttl, model)


def _cache(stack: str, entry: CacheEntry, digest: str, measure: Measure) -> DesiredCache:
    """What a gemini *entry* asks for."""
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


def _cache_problems(entry: CacheEntry) -> Iterator[Problem]:
    """Uploaded files that are gone when a cache kept warm has to be made again."""
    if entry.settings.keep == "warm" and isinstance(entry.life, Ttl):
        for part in entry.parts:
            if isinstance(part, UriSpec) and is_of_files_api(part.uri):
                yield part.place.problem(_DYING)


def _cache_advice(entry: CacheEntry) -> Iterator[Problem]:
    """What of *entry* may surprise its author."""
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
