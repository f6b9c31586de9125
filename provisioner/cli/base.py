"""
What a branch edits, from git alone: no key, no state, no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.cli.git import exported, merge_base, root_of
from provisioner.errors import CtxprovError, ManifestError
from provisioner.manifest import Folder, Manifest, Unreadable, environments_of
from provisioner.model import Change, Desired, Plan, Recorded, StackSettings, setting_edits
from provisioner.planner import as_if_applied, plan
from provisioner.render.patch import Patch, patches
from provisioner.resolver import load_and_resolve
from provisioner.resolver.reading import read_bytes


def plan_against(
    manifest: Manifest,
    desired: tuple[Desired, ...],
    base: tuple[Desired, ...],
    *,
    settings: StackSettings | None,
    now: datetime,
) -> Plan:
    """
    The edits that lead from *base* to *desired*, as a plan without time or drift.

    *settings* are those of the stack at the base, if it was there.
    """
    stack = manifest.stack
    state, live = as_if_applied(base, stack=stack, now=now)
    found = plan(desired, state, live, stack=stack, now=now, renames=manifest.moved)
    return replace(found, settings=setting_edits(settings, manifest.settings))


def plan_for_review(
    folder: Path,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    ref: str,
    *,
    environment: str | None,
    models: Path | None,
    now: datetime,
    with_patches: bool,
) -> tuple[Plan, tuple[Patch, ...]]:
    """What the working tree edits since its merge base with *ref*, and where texts differ."""
    with stack_at_base(folder, ref, environment=environment, models=models, now=now) as before:
        old, base = before or (None, ())
        settings = old.settings if old else None
        if old and old.stack != manifest.stack:
            settings, base = None, ()  # another stack: nothing of it is on record for this one
        told = plan_against(manifest, desired, base, settings=settings, now=now)
        texts = _patches(told, old.root if old else None, manifest.root) if with_patches else ()
        return told, tuple(texts)


def declared(folder: Path) -> tuple[str | None, ...]:
    """
    The environments of the stack in *folder*, however wrong they may be.

    None alone if it has none, and nothing if no stack is there.
    """
    if not (folder / "ctxprov.yaml").is_file():
        return ()
    return environments_of(folder) or (None,)


@contextmanager
def stack_at_base(
    folder: Path, ref: str, *, environment: str | None, models: Path | None, now: datetime
) -> Iterator[tuple[Manifest, tuple[Desired, ...]] | None]:
    """
    The stack of *folder* at the merge base with *ref*; None if it or its environment was not.

    Its files can be read for as long as the block lasts.  Raises CtxprovError if git cannot
    tell, or if the manifest was in error there.
    """
    root = root_of(folder)
    place = PurePosixPath(_inside(folder, root).as_posix())
    commit = merge_base(root, ref)
    with exported(root, commit, place) as there:
        if there is None or environment not in declared(there):
            yield None
            return
        try:
            manifest, resolution = load_and_resolve(
                there, load_catalog(models), environment=environment, now=now
            )
        except ManifestError as error:
            raise CtxprovError(
                f"At the merge base with {ref} ({commit[:12]}) the stack has errors, so nothing "
                f"can be compared with it: {error.problems[0].sentence}"
            ) from error
        yield manifest, resolution.desired


def _inside(folder: Path, root: Path) -> Path:
    place = folder if folder.is_dir() else folder.parent
    return place.resolve().relative_to(root.resolve())


def _patches(told: Plan, there: Path | None, here: Path) -> Iterator[Patch]:
    """The files of every edited entry, on both sides, where they differ."""
    pairs = ((_paths(c, "record"), _paths(c, "want")) for c in told.pending)
    paths = tuple(dict.fromkeys(path for old, new in pairs for path in (*old, *new)))
    return patches(_contents(there, paths), _contents(here, paths))


def _paths(change: Change, side: str) -> tuple[str, ...]:
    noun = getattr(change, side, None)
    return noun.measure.paths if isinstance(noun, Desired | Recorded) else ()


def _contents(root: Path | None, paths: tuple[str, ...]) -> dict[str, bytes]:
    """
    The files that are there and inside of the folder.

    A path that one side names may be a link out of the folder on the other.
    """
    contents: dict[str, bytes] = {}
    if root is None:
        return contents
    folder = Folder(root)
    for path in paths:
        with suppress(Unreadable):
            contents[path] = read_bytes(folder, path)
    return contents
