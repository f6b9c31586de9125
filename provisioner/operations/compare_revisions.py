"""
What a branch edits, from git alone: no key, no state, no network.

A stack is compared with the one of its own name, since that is what its state goes by: a folder
that was renamed is no edit.  A stack is gone only if git has it at the merge base and the branch
has it nowhere: neither in another folder, nor in what a sparse checkout left out, nor behind a
manifest that is in error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from os.path import normpath
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from provisioner.catalog import Catalog, load_catalog
from provisioner.checkout import StackFolders, stacks_in
from provisioner.errors import CtxprovError, ManifestError
from provisioner.git import Git, path_from, text_from
from provisioner.manifest import environments_of, load_frame, read_manifest, stack_at, stack_in
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.types import DEFAULT_STATE, CacheEntry, Manifest
from provisioner.model.changes import Change
from provisioner.model.plan import Leftover, Plan
from provisioner.model.records import Desired, Recorded
from provisioner.model.stack_settings import StackSettings, setting_edits
from provisioner.operations.checkout import checkout_around, git_for_review, git_warning
from provisioner.operations.session import Ports, Session
from provisioner.planner import plan
from provisioner.planner.hypothetical import as_if_applied
from provisioner.render.difference import Patch, patches
from provisioner.resolver import load_and_resolve
from provisioner.resolver.file_content import read_bytes
from provisioner.revision import Export, GitRevision, is_same_tree, merge_base
from provisioner.storage import is_remote


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
    session: Session,
    folder: Path,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    ref: str,
    *,
    now: datetime,
    with_patches: bool,
) -> tuple[Plan, StackSettings | None, tuple[Patch, ...]]:
    """
    What the working tree edits since its merge base with *ref*, and where texts differ.

    Between them are the settings of the stack at the merge base, if it was there.
    """
    with _stack_before(session, folder, manifest.stack, ref, now) as before:
        base = before.desired if before else ()
        settings = before.manifest.settings if before else None
        plan = plan_against(manifest, desired, base, settings=settings, now=now)
        if before is None:
            left = leftover_at(session, folder, ref, successor=manifest.stack)
            plan = replace(plan, leftover=left)
        texts: Iterator[Patch] = iter(())
        if with_patches:
            texts = _patches(plan, before.files if before else None, Folder(manifest.root))
        return plan, settings, tuple(texts)


@contextmanager
def _stack_before(
    session: Session, folder: Path, stack: str, ref: str, now: datetime
) -> Iterator[Before | None]:
    """
    The *stack* of *folder* at the merge base with *ref*; None if it or its environment was not.

    Raises CtxprovError if git cannot tell, or if the manifest was in error there.
    """
    environment = session.options.environment
    git = git_for_review(session.ports, folder)
    base = merge_base(git, ref)
    place = _place(_existing(folder), git)
    name = stack.removesuffix(f".{environment}") if environment else stack
    with base.files(folder_before(base, place, name)) as export:
        if export is None or environment not in declared(export.folder):
            yield None
            return
        try:
            manifest, resolution = load_and_resolve(
                export.folder,
                load_catalog(session.options.models),
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


class StackChanges:
    """The working tree around *git* against the merge base with *ref*: which stacks it edits."""

    def __init__(self, ports: Ports, git: Git, ref: str, catalog: Catalog) -> None:
        self._ports = ports
        self._top = git.top
        self._base = merge_base(git, ref)
        self._here = stacks_in(git)
        self._catalog = catalog
        self._now = ports.now()
        for reason in dict.fromkeys((*self._here.unseen, *self._base.unseen())):
            git_warning(ports)(f"{reason}. The stacks in it are not compared.")

    def edited(self) -> Iterator[tuple[PurePosixPath, Sequence[str | None]]]:
        """Each stack whose files are others, with the environments that are another stack."""
        moved = {stack: self._before(stack) for stack in self._here.here}
        for stack, before in moved.items():
            yield stack, self._edited(stack, before)
        for stack in self._base.stacks() - set(moved) - self._here.left_out - set(moved.values()):
            yield stack, self._edited(stack, stack)
        for stack in self._here.left_out:
            if not is_same_tree(self._base.git, self._base.commit, "HEAD", stack):
                yield stack, self._edited(stack, stack) or (None,)

    def is_removed(self, stack: PurePosixPath, environment: str | None) -> bool:
        """Whether the branch declares it no longer; what is only left out is declared."""
        return stack not in self._here.left_out and is_undeclared(self._folder(stack), environment)

    def _before(self, stack: PurePosixPath) -> PurePosixPath:
        name = stack_at(self._folder(stack))
        return folder_before(self._base, stack, name) if name else stack

    def _folder(self, stack: PurePosixPath) -> Path:
        return self._top / path_from(str(stack))

    def _edited(self, stack: PurePosixPath, before: PurePosixPath) -> list[str | None]:
        """Which environments are another than in the folder *before*; None if there are none."""
        here = self._folder(stack)
        with self._base.files(before) as there:
            old = declared(there.folder) if there else ()
            environments = dict.fromkeys((*declared(here), *old))
            return [one for one in environments if there is None or self._differs(here, there, one)]

    def _differs(self, here: Path, there: Export, environment: str | None) -> bool:
        checkouts = ((here, checkout_around(self._ports, here)), (there.folder, there))
        try:
            (new, after), (old, before) = (
                load_and_resolve(
                    place, self._catalog, environment=environment, checkout=checkout, now=self._now
                )
                for place, checkout in checkouts
            )
        except CtxprovError:
            return True
        plan = plan_against(
            new, after.desired, before.desired, settings=old.settings, now=self._now
        )
        return bool(plan.digests) or old.stack != new.stack


def declared(folder: Path) -> tuple[str | None, ...]:
    """
    The environments of the stack in *folder*, however wrong they may be.

    None alone if it has none, and nothing if no stack is there.
    """
    if not (folder / "ctxprov.yaml").is_file():
        return ()
    return environments_of(folder) or (None,)


def folder_before(base: GitRevision, folder: PurePosixPath, stack: str) -> PurePosixPath:
    """
    Where *base* has the stack named *stack* that is in *folder* now; *folder* if nowhere.

    Of several folders that name it, the one that is gone by now.
    """
    likely = [one for one, raw in base.manifests.items() if stack.encode() in raw]
    if folder in likely and stack_in(base.manifests[folder]) == stack:
        return folder
    named = [one for one in likely if stack_in(base.manifests[one]) == stack]
    gone = [one for one in named if not (base.git.top / one / "ctxprov.yaml").exists()]
    return next((folders[0] for folders in (named, gone) if len(folders) == 1), folder)


def is_undeclared(folder: Path, environment: str | None) -> bool:
    """Whether *folder* has no stack, or one that can be read and has no such environment."""
    if not (folder / "ctxprov.yaml").exists():
        return not folder.is_file()
    if environments := environments_of(folder):
        return environment not in environments
    try:
        load_frame(folder)
    except ManifestError:
        return False
    return environment is not None


def leftover_at(
    session: Session, folder: Path, ref: str, *, successor: str | None = None
) -> Leftover | None:
    """
    What the stack in *folder* at the merge base with *ref* leaves alive; None if it was not there.

    None as well if the branch has it elsewhere.  *successor* is the stack that has its place.
    Raises CtxprovError if git cannot tell, or if the manifest was in error there.
    """
    environment, address = session.options.environment, session.options.address
    git = git_for_review(session.ports, _existing(folder))
    base, place = merge_base(git, ref), _place(folder, git)
    stacks = stacks_in(git)
    if place in stacks.left_out or stacks.unseen:
        return None
    with base.files(place) as export:
        if export is None or environment not in declared(export.folder):
            return None
        draft = read_manifest(export.folder, environment=environment)
        if draft.manifest is None:
            raise CtxprovError(
                f"At the merge base with {ref} ({base.commit[:12]}) the stack has errors, so what "
                f"it leaves alive is unclear: {draft.problems[0].sentence}"
            )
        old = draft.manifest
        if old.stack == successor or _is_declared(old.stack, environment, git, stacks):
            return None
        return Leftover(
            stack=old.stack,
            successor=successor,
            caches=tuple(n for n, entry in old.caches.items() if isinstance(entry, CacheEntry)),
            state=_state(old, folder, address),
            usual=not (address or old.state),
            key_envs={name: key for name in sorted(old.used) if (key := old.providers[name])},
        )


def _is_declared(stack: str, environment: str | None, git: Git, stacks: StackFolders) -> bool:
    """Whether a folder of the branch names this very stack."""
    name = stack.removesuffix(f".{environment}") if environment else stack
    folders = (git.path(str(one)) for one in stacks.here)
    return any(stack_at(one) == name and environment in declared(one) for one in folders)


def _state(old: Manifest, folder: Path, address: str | None) -> str:
    """Where the state is, as exactly as the base and the command line tell."""
    chosen = address or old.state or DEFAULT_STATE
    return chosen if address or is_remote(chosen) else normpath(folder / chosen)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def _place(folder: Path, git: Git) -> PurePosixPath:
    """The folder from the top of the checkout, whether it is there or not."""
    there = _existing(folder)
    rest = folder.absolute().relative_to(there.absolute())
    return PurePosixPath(text_from((there.resolve() / rest).relative_to(git.top)))
