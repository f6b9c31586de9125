"""
What a branch edits, from git alone: no key, no state, no network.

A stack is compared with the one of its own name, since that is what its state goes by: a folder
that was renamed is no edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.cli.checkout import git_for_review
from provisioner.cli.leftovers import declared, folder_before, leftover_at
from provisioner.errors import CtxprovError, ManifestError
from provisioner.git import text_from
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Change
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, Recorded
from provisioner.model.stack_settings import StackSettings, setting_edits
from provisioner.planner import plan
from provisioner.planner.hypothetical import as_if_applied
from provisioner.render.difference import Patch, patches
from provisioner.resolver import load_and_resolve
from provisioner.resolver.file_content import read_bytes
from provisioner.revision import merge_base


class Before(Struct, frozen=True, kw_only=True):
    """A stack as it was in another revision, while its files can be read."""

    manifest: Manifest
    desired: tuple[Desired, ...]
    files: Folder


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
    result = plan(desired, state, live, stack=stack, now=now, renames=manifest.moved)
    return replace(result, settings=setting_edits(settings, manifest.settings))


def compare_revisions(
    folder: Path,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    ref: str,
    *,
    environment: str | None,
    address: str | None,
    models: Path | None,
    now: datetime,
    with_patches: bool,
) -> tuple[Plan, StackSettings | None, tuple[Patch, ...]]:
    """
    What the working tree edits since its merge base with *ref*, and where texts differ.

    Between them are the settings of the stack at the merge base, if it was there.
    *address* is that of the state, if it is not the manifest's business.
    """
    with _stack_before(
        folder, manifest.stack, ref, environment=environment, models=models, now=now
    ) as before:
        base = before.desired if before else ()
        settings = before.manifest.settings if before else None
        plan = plan_against(manifest, desired, base, settings=settings, now=now)
        if before is None:
            left = leftover_at(
                folder, ref, environment=environment, address=address, successor=manifest.stack
            )
            plan = replace(plan, leftover=left)
        texts: Iterator[Patch] = iter(())
        if with_patches:
            texts = _patches(plan, before.files if before else None, Folder(manifest.root))
        return plan, settings, tuple(texts)


@contextmanager
def _stack_before(
    folder: Path,
    stack: str,
    ref: str,
    *,
    environment: str | None,
    models: Path | None,
    now: datetime,
) -> Iterator[Before | None]:
    """
    The *stack* of *folder* at the merge base with *ref*; None if it or its environment was not.

    Raises CtxprovError if git cannot tell, or if the manifest was in error there.
    """
    git = git_for_review(folder)
    base = merge_base(git, ref)
    place = PurePosixPath(text_from(_inside(folder, git.top)))
    name = stack.removesuffix(f".{environment}") if environment else stack
    with base.files(folder_before(base, place, name)) as export:
        if export is None or environment not in declared(export.folder):
            yield None
            return
        try:
            manifest, resolution = load_and_resolve(
                export.folder,
                load_catalog(models),
                environment=environment,
                checkout=export,
                now=now,
            )
        except ManifestError as error:
            raise CtxprovError(
                f"At the merge base with {ref} ({base.commit[:12]}) the stack has errors, so "
                f"nothing can be compared with it: {error.problems[0].sentence}"
            ) from error
        if manifest.stack != stack:
            yield None  # another stack: nothing of it is on record or labelled as of this one
            return
        files = Folder(export.folder, export)
        yield Before(manifest=manifest, desired=resolution.desired, files=files)


def _inside(folder: Path, top: Path) -> Path:
    place = folder if folder.is_dir() else folder.parent
    return place.resolve().relative_to(top)


def _patches(plan: Plan, there: Folder | None, here: Folder) -> Iterator[Patch]:
    """The files of every edited entry, on both sides, where they differ."""
    pairs = ((_paths(c, "record"), _paths(c, "want")) for c in plan.pending)
    paths = tuple(dict.fromkeys(path for old, new in pairs for path in (*old, *new)))
    return patches(_contents(there, paths), _contents(here, paths))


def _paths(change: Change, side: str) -> tuple[str, ...]:
    noun = getattr(change, side, None)
    return noun.measure.paths if isinstance(noun, Desired | Recorded) else ()


def _contents(folder: Folder | None, paths: tuple[str, ...]) -> dict[str, bytes]:
    """
    The files that are there and inside of the folder.

    A path that one side names may be a link out of the folder on the other.
    """
    contents: dict[str, bytes] = {}
    if folder is None:
        return contents
    for path in paths:
        with suppress(Unreadable):
            contents[path] = read_bytes(folder, path)
    return contents
