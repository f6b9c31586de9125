"""
The working tree as far as it can be read, for commands that must run when it cannot.

A schedule keeps what is recorded alive; a half-edited repository must not stop it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from provisioner.cache import CacheContent
from provisioner.catalog import load_catalog
from provisioner.errors import ContentChanged, ManifestError
from provisioner.manifest.stack import read_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.records import Desired, DesiredCache
from provisioner.resolver import read_content, resolve


class WorkingTree(Struct, frozen=True, kw_only=True):
    """A stack's manifest, and what it wants if nothing is wrong with it."""

    manifest: Manifest
    desired: tuple[Desired, ...] | None

    def digests(self) -> Collection[str]:
        """The digests of all content that is at hand."""
        return frozenset(self._by_digest())

    def read(self, want: DesiredCache) -> CacheContent:
        """Read content by its digest, under any name of its entry here."""
        here = self._by_digest().get(want.digest)
        if here is None:
            raise ContentChanged(f"the working tree no longer has the content of {want.name}")
        return read_content(self.manifest, here)

    def _by_digest(self) -> dict[str, DesiredCache]:
        wants = self.desired or ()
        return {want.digest: want for want in wants if isinstance(want, DesiredCache)}


def working_tree(
    path: Path, *, environment: str | None, models: Path | None, now: datetime
) -> WorkingTree:
    """Read what can be read.  Raises ManifestError if not even the stack's name stands."""
    draft = read_manifest(path, environment=environment)
    if draft.manifest is None:
        raise ManifestError(draft.problems)
    if draft.problems:
        return WorkingTree(manifest=draft.manifest, desired=None)
    try:
        desired = resolve(draft.manifest, load_catalog(models), now=now).desired
    except ManifestError:
        return WorkingTree(manifest=draft.manifest, desired=None)
    return WorkingTree(manifest=draft.manifest, desired=desired)
