"""
Git and the checkout around a stack's folder: which commit it is, and whether it is an old one.

Rerunning the job of an older commit would roll the newer one back.  Git says whether it is
an ancestor; where the checkout is too shallow for that, the committer's dates decide.

A manifest comes with a checkout, so it is not trusted with the rest of the machine: a path of
its own ends inside of the repository, links followed, outside of every `.git`, and never at a
file that ctxprov did not write.  An address from the command line or the environment may be
anything: the workflow gives it, which is reviewed.  What an object store or a server holds is
looked at only when it is written to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.checkout import LocalCheckout, is_submodule
from provisioner.errors import GitFailed, GitMissing, ManifestError, Problem
from provisioner.files import leads_out, read_whole, top_of
from provisioner.manifest.types import DEFAULT_STATE, Frame
from provisioner.model.changes import Cause
from provisioner.model.facts import Revision
from provisioner.model.plan import Plan
from provisioner.operations.session import Ports
from provisioner.storage import is_remote, split_file

if TYPE_CHECKING:
    from provisioner.git import Git

_CI = ("GITHUB_SHA", "CI_COMMIT_SHA")
_SHOWN = re.compile(r"(?P<commit>[0-9a-f]{40,64}) (?P<seconds>-?[0-9]{1,11})", re.ASCII)


def git_around(ports: Ports, path: Path) -> Git:
    """
    Open git for the checkout around a stack's folder or manifest.

    Raises GitFailed if there is none, or if git refuses it.
    """
    from provisioner.git import git_at  # noqa: PLC0415  # a plan that changes nothing asks no git

    return git_at(_folder(path), environ=ports.environ, warn=git_warning(ports))


def git_for_review(ports: Ports, path: Path) -> Git:
    """
    Open git for comparing a stack with another revision.

    That is the checkout around it; or, where the current folder lies in a superproject of it and
    not in the submodule, the superproject: its refs are meant then.
    """
    from provisioner.git import text_from  # noqa: PLC0415  # likewise

    git, here = git_around(ports, path), ports.folder.resolve()
    while not here.is_relative_to(git.top):
        above = top_of(git.top.parent)
        if above is None or not here.is_relative_to(above):
            break
        outer = git.below(above)
        if not is_submodule(outer, text_from(git.top.relative_to(above))):
            break
        git = outer
    return git


def checkout_around(ports: Ports, path: Path) -> LocalCheckout:
    """The checkout around a stack's folder or manifest; asks git only if it has to."""
    return LocalCheckout(_folder(path), environ=ports.environ, warn=git_warning(ports))


def commit_here(ports: Ports, path: Path) -> str | None:
    """The commit that is checked out around *path*, or that CI says it is about."""
    from provisioner.git import commit_of, is_commit  # noqa: PLC0415  # likewise

    head = None
    if top_of(_folder(path)):
        try:
            head = commit_of(git_around(ports, path), "HEAD")
        except GitMissing:
            pass  # an image without git runs every schedule, and nothing is wrong with that
        except GitFailed as error:
            git_warning(ports)(
                f"{error} The commit is therefore the one that CI names, or unknown."
            )
    named = (ports.environ.get(key, "") for key in _CI)
    return head or next(filter(is_commit, named), None)


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def git_warning(ports: Ports) -> Callable[[str], None]:
    """What shows a warning of git."""
    return lambda warning: ports.console.warn(f"git: {warning}")


def revision_here(ports: Ports, folder: Path) -> Revision | None:
    """The commit that is checked out around *folder*, or that CI names; None if neither does."""
    git = _git(ports, folder)
    # Without the last word a file named HEAD would make git ask which of both is meant.
    show = ("show", "--no-patch", "--no-show-signature", "--format=%H %ct", "HEAD", "--")
    shown = git and _SHOWN.fullmatch(git.run(*show).line)
    if shown:
        at = datetime.fromtimestamp(int(shown["seconds"]), UTC)
        return Revision(commit=shown["commit"], committed_at=at)
    commit = commit_here(ports, folder)
    return Revision(commit=commit) if commit else None


def why_older(ports: Ports, folder: Path, plan: Plan, last: Revision | None) -> str | None:
    """Why the edits of *plan* are of an older commit than *last*, as git or the dates say."""
    here = revision_here(ports, folder) if last and performs_edits(plan) else None
    if here is None or last is None or here.commit == last.commit:
        return None
    older = _is_ancestor(ports, folder, here.commit, last.commit)
    if older is None and here.committed_at and last.committed_at:
        older = here.committed_at < last.committed_at
    if not older:
        return None
    return (
        f"The commit {here.commit[:12]} is older than {last.commit[:12]}, whose edits were "
        "applied last: what both change would go back. Nothing was changed. Apply at the newer "
        "commit, where --expect or --plan with the approval of the older one performs what is "
        "left of that; or add --allow-older to go back."
    )


def performs_edits(plan: Plan) -> bool:
    return Cause.EDIT in plan.causes


def _is_ancestor(ports: Ports, folder: Path, one: str, other: str) -> bool | None:
    """None if the checkout does not hold enough of the history."""
    git = _git(ports, folder)
    if git is None:
        return None
    match git.run("merge-base", "--is-ancestor", one, other).status:
        case 0:
            return True
        case 1 if git.run("rev-parse", "--is-shallow-repository").line == "false":
            return False
        case _:
            return None


def _git(ports: Ports, folder: Path) -> Git | None:
    try:
        return git_around(ports, folder)
    except GitFailed:
        return None


_CLI = "give --state or CTXPROV_STATE for a place elsewhere"


def boundary_of(frame: Frame) -> Path:
    """The folder that the manifest's paths end in: the top of its repository, or its own."""
    return top_of(frame.root) or frame.root.resolve()


def check_destinations(frame: Frame, *, with_state: bool) -> None:
    """Raise ManifestError with every problem that `destination_problems` finds."""
    if problems := destination_problems(frame, with_state=with_state):
        raise ManifestError(problems)


def destination_problems(frame: Frame, *, with_state: bool) -> list[Problem]:
    """What is wrong with `publish:` and, *with_state*, with `state:`, each at its place."""
    return [*_of_publish(frame), *(_of_state(frame) if with_state else ())]


def _of_state(frame: Frame) -> Iterator[Problem]:
    address = frame.state or DEFAULT_STATE
    if is_remote(address):
        return
    if reason := leads_out(frame.root / address, boundary_of(frame)):
        yield frame.problem("state", f"{reason}: name a folder inside of it, or {_CLI}")


def _of_publish(frame: Frame) -> Iterator[Problem]:
    if frame.publish is None:
        return
    from provisioner.handles import reserved_for  # noqa: PLC0415  # for a stack that publishes

    if reserved := reserved_for(split_file(frame.publish)[1]):
        name = f"has the name of {reserved}, and would be taken for one: take another name"
        yield frame.problem("publish", name)
        return
    if is_remote(frame.publish):
        return
    path = frame.root / frame.publish
    if reason := leads_out(path, boundary_of(frame)) or _objection(path):
        yield frame.problem("publish", reason)


def _objection(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        content = read_whole(path)
    except OSError as error:
        return f"cannot be written to: {error.strerror}"
    from provisioner.handles import is_published  # noqa: PLC0415  # likewise

    if is_published(content):
        return None
    return "is a file that ctxprov did not write: take another name, or move that file away"
