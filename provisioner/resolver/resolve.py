"""
From entries to what should exist: the straight line, and everything wrong on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from provisioner.catalog import Catalog
from provisioner.checkout import Checkout
from provisioner.errors import ManifestError, Problem, told_once
from provisioner.manifest import AnnotationEntry, CacheEntry, Folder, Manifest, read_manifest
from provisioner.model import Desired
from provisioner.resolver.annotations import annotation_of
from provisioner.resolver.caches import cache_advice, cache_of, cache_problems
from provisioner.resolver.content import Counter
from provisioner.resolver.model_checks import model_advice, model_problems


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

    *begun* is called with the manifest before its content is read.

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
                problems += cache_problems(entry)
                warnings += cache_advice(entry)
                desired.append(cache_of(manifest.stack, entry, digest, measure))
            case AnnotationEntry():
                known = catalog.find(entry.provider, entry.model)
                try:
                    desired.append(annotation_of(manifest.stack, entry, digest, measure, known))
                except ManifestError as error:
                    problems += error.problems
    if problems:
        raise ManifestError(problems)
    return Resolution(tuple(desired), told_once(warnings))
