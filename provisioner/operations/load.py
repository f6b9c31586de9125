"""
A stack from its files: loaded and resolved, or read as far as it can be.

A plan needs a stack that is sound.  A schedule keeps what is recorded alive, and a half-edited
repository must not stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from provisioner.cache import CacheContent
from provisioner.catalog import load_catalog
from provisioner.errors import ManifestError, Refused
from provisioner.manifest import read_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.rates import Lookup
from provisioner.model.records import Desired, DesiredCache
from provisioner.operations.checkout import checkout_around
from provisioner.operations.session import Session, StackOptions
from provisioner.resolver import load_and_resolve, resolve
from provisioner.resolver.content import content_reader


def load_stack(
    session: Session,
    path: Path,
    *,
    now: datetime,
    allow_empty: bool,
    begun: Callable[[Manifest], None] = lambda _: None,
) -> tuple[Manifest, tuple[Desired, ...]]:
    """
    Load and resolve a stack; one that declares nothing must be meant.

    Shows its warnings.  Calls *begun* before content is read.

    Raises `ManifestError` with every problem, and `Refused`.
    """
    manifest, resolution = load_and_resolve(
        path,
        load_catalog(session.options.models),
        environment=session.options.environment,
        checkout=checkout_around(session.ports, path),
        now=now,
        begun=begun,
    )
    session.ports.console.advise(resolution.warnings)
    if not manifest.caches and not allow_empty:
        raise Refused(
            f"{manifest.path} declares no cache, so apply would retire all on record. "
            "To proceed, add --allow-empty; to delete all at once, run ctxprov destroy."
        )
    return manifest, resolution.desired


def prices_or_ours(models: Path | None) -> Lookup:
    """Those of the file *models*, or what ctxprov ships if that cannot be read."""
    try:
        return load_catalog(models).find
    except ManifestError:
        return load_catalog().find


class WorkingTree(Struct, frozen=True, kw_only=True):
    """A stack's manifest, and what it wants if nothing is wrong with it."""

    manifest: Manifest
    desired: tuple[Desired, ...] | None

    def digests(self) -> Collection[str]:
        """The digests of all content that is at hand."""
        wants = self.desired or ()
        return frozenset(want.digest for want in wants if isinstance(want, DesiredCache))

    def reader(self) -> Callable[[DesiredCache], CacheContent]:
        """What reads content by its digest, under any name of its entry here."""
        return content_reader(self.manifest, self.desired or ())


def working_tree(path: Path, options: StackOptions, *, now: datetime) -> WorkingTree:
    """Read what can be read.  Raises ManifestError if not even the stack's name stands."""
    draft = read_manifest(path, environment=options.environment)
    if draft.manifest is None:
        raise ManifestError(draft.problems)
    desired = None
    if not draft.problems:
        with suppress(ManifestError):
            desired = resolve(draft.manifest, load_catalog(options.models), now=now).desired
    return WorkingTree(manifest=draft.manifest, desired=desired)
