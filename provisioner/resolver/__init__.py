"""
From entries to what should exist: the straight line, and everything wrong on the way.

Decides what a cache or an annotation of each entry is, which lives a provider has for it, what
of it cannot last, and what the catalog says of its model.  Without explicit caches there is
nothing to create, and that is wrong; everything else is advice, because the server decides and
knows better.

The modules below decide digests and estimates of tokens, and find what is wrong with files.
Nothing here keeps content, asks a provider, reads a state or looks at a clock: the caller
passes *now*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from msgspec import Struct

from provisioner.catalog import Catalog
from provisioner.checkout import Checkout
from provisioner.errors import ManifestError, Problem, each_once
from provisioner.manifest import read_manifest
from provisioner.manifest.confined_folder import Folder
from provisioner.manifest.providers import KINDS
from provisioner.manifest.types import AnnotationEntry, CacheEntry, Entry, Manifest, UriSpec
from provisioner.model.attributes import Adoption, Label, Measure, Ttl
from provisioner.model.rates import Model
from provisioner.model.records import Desired, DesiredAnnotation, DesiredCache
from provisioner.resolver.content import Counter, is_of_files_api
from provisioner.times import duration_text

_HALF = Fraction(1, 2)
_SOON = timedelta(days=60)
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
    return draft.manifest, resolve(
        draft.manifest, catalog, checkout=checkout, now=now, before=draft.problems
    )


def resolve(
    manifest: Manifest,
    catalog: Catalog,
    *,
    checkout: Checkout | None = None,
    now: datetime,
    before: Iterable[Problem] = (),
) -> Resolution:
    """
    Look at every file of *manifest* and say what should exist.

    Raises ManifestError with everything that is wrong, *before* and now, and GitFailed as
    `load_and_resolve` does.
    """
    problems = [*before]
    counter = Counter(Folder(manifest.root, checkout), problems)
    warnings: list[Problem] = []
    desired: list[Desired] = []
    for entry in manifest.caches.values():
        model = catalog.find(entry.kind, entry.model)
        problems += _model_problems(entry, model, catalog)
        digest, measure = counter.count(entry)
        if model:
            warnings += _model_advice(entry, model, measure, now)
        match entry:
            case CacheEntry():
                problems += _cache_problems(entry)
                warnings += _cache_advice(entry)
                desired.append(_cache(manifest.stack, entry, digest, measure))
            case AnnotationEntry():
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
    from provisioner.providers import annotations  # noqa: PLC0415  # for stacks that have some

    is_claude = entry.provider == "claude"
    offered = (
        tuple(annotations.CLAUDE_TTLS) if is_claude else annotations.openai_ttls(entry.model, model)
    )
    ttl = offered[0] if entry.ttl is None else entry.ttl
    if ttl not in offered:
        owner = entry.provider if is_claude else entry.model
        lives = " or ".join(map(duration_text, sorted(offered)))
        message = f"must be {lives} for {owner}, not {duration_text(ttl)}"
        raise ManifestError([entry.at("ttl").problem(message)])
    key = annotations.openai_key(stack, entry.name)
    return DesiredAnnotation(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        digest=digest,
        life=Ttl(ttl),
        handle=(
            annotations.claude_handle(ttl)
            if is_claude
            else annotations.openai_handle(key, entry.model, ttl, model)
        ),
        measure=measure,
        calls_per_hour=entry.calls_per_hour,
    )


def _cache(stack: str, entry: CacheEntry, digest: str, measure: Measure) -> DesiredCache:
    """What a gemini *entry* asks for."""
    return DesiredCache(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        digest=digest,
        life=entry.life,
        settings=entry.settings,
        label=Label.of(stack, entry.name, digest),
        measure=measure,
        adopt=Adoption.parse(entry.adopt) if entry.adopt else None,
        calls_per_hour=entry.calls_per_hour,
    )


def _cache_problems(entry: CacheEntry) -> Iterator[Problem]:
    """Uploaded files that are gone when a cache kept warm has to be made again."""
    if entry.is_warm:
        for part in entry.parts:
            if isinstance(part, UriSpec) and is_of_files_api(part.uri):
                yield part.place.problem(_DYING)


def _cache_advice(entry: CacheEntry) -> Iterator[Problem]:
    """What of *entry* may surprise its author."""
    for part in entry.parts:
        if isinstance(part, UriSpec) and not is_of_files_api(part.uri) and not entry.revision:
            yield part.place.problem(_MUTABLE)
    if not isinstance(entry.life, Ttl):
        return
    match entry.settings.refresh_before, entry.life.span:
        case timedelta() as window, span if window > span / 2:
            whole, half = duration_text(span), duration_text(span / 2)
            message = f"is more than half of the ttl, {whole}: {half} is used"
            yield entry.at("refresh_before").problem(message)
        case Fraction() as share, _ if share > _HALF:
            yield entry.at("refresh_before").problem("is more than half: 50% is used")
        case _:
            pass


def _model_problems(entry: Entry, model: Model | None, catalog: Catalog) -> Iterator[Problem]:
    """Why the model of *entry* cannot be cached at all."""
    if model is None:
        for owner in KINDS:
            if catalog.find(owner, entry.model):
                message = f"{entry.model} is a model of {owner}, not of {entry.kind}"
                yield entry.at("model").problem(message)
    elif model.explicit_caching is False:
        message = f"{entry.model} has implicit caching only: no cache can be made for it"
        yield entry.at("model").problem(message)


def _model_advice(entry: Entry, model: Model, measure: Measure, now: datetime) -> Iterator[Problem]:
    """What to know of the *model* of *entry* at the moment *now*."""
    if model.retires_on and (when := _retirement(model.retires_on, now.astimezone(UTC).date())):
        yield entry.at("model").problem(f"{entry.model} {when}")
    is_small = model.min_tokens and measure.tokens < model.min_tokens
    if is_small and not any(isinstance(part, UriSpec) for part in entry.parts):
        end = "the server may refuse it" if entry.kind == "gemini" else "nothing would be cached"
        message = (
            f"comes to ~{measure.tokens:,} tokens, below the {model.min_tokens:,} from which "
            f"{entry.model} caches: {end}"
        )
        key = "content" if entry.parts else "system_instruction"
        yield entry.at(key).problem(message)


def _retirement(day: date, today: date) -> str | None:
    if day <= today:
        return f"was retired on {day}"
    if day - today <= _SOON:
        left = (day - today).days
        return f"retires on {day}, in {left} day{'s' if left > 1 else ''}"
    return None
