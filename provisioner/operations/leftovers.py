"""
Stacks that a branch declares no longer: what they leave alive, and the command that ends it.

A stack is gone only if git has it at the merge base and the branch has it nowhere: neither in
another folder, nor in what a sparse checkout left out, nor behind a manifest that is in error.
"""

from __future__ import annotations

from os.path import normpath
from pathlib import Path, PurePosixPath

from provisioner.checkout import StackFolders, stacks_in
from provisioner.errors import CtxprovError, ManifestError
from provisioner.git import Git, path_from, text_from
from provisioner.manifest.stack import (
    environments_of,
    load_frame,
    read_manifest,
    stack_at,
    stack_in,
)
from provisioner.manifest.types import DEFAULT_STATE, CacheEntry, Manifest
from provisioner.model.plan import Leftover
from provisioner.operations.checkout import git_for_review
from provisioner.operations.session import Session
from provisioner.revision import GitRevision, merge_base
from provisioner.storage import is_remote


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
    folders = (git.top / path_from(str(one)) for one in stacks.here)
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
