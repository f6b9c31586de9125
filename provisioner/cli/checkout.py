"""
Git and the checkout around a stack's folder, as a command meets them.

Here the environment and standard error come in: git gets the one and warns on the other.
"""

from __future__ import annotations

from pathlib import Path

from provisioner.checkout import LocalCheckout, is_submodule
from provisioner.cli.messages import tell
from provisioner.environment import process_environment
from provisioner.errors import GitFailed, GitMissing
from provisioner.git import Git, commit_of, git_at, is_commit, text_from, top_of

_CI = ("GITHUB_SHA", "CI_COMMIT_SHA")


def git_around(path: Path) -> Git:
    """
    Open git for the checkout around a stack's folder or manifest.

    Raises GitFailed if there is none, or if git refuses it.
    """
    return git_at(_folder(path), environ=process_environment(), warn=warn)


def git_for_review(path: Path) -> Git:
    """
    Open git for comparing a stack with another revision.

    That is the checkout around it; or, where the current folder lies in a superproject of it and
    not in the submodule, the superproject: its refs are meant then.
    """
    git, here = git_around(path), Path.cwd().resolve()
    while not here.is_relative_to(git.top):
        above = top_of(git.top.parent)
        if above is None or not here.is_relative_to(above):
            break
        outer = git.below(above)
        if not is_submodule(outer, text_from(git.top.relative_to(above))):
            break
        git = outer
    return git


def checkout_around(path: Path) -> LocalCheckout:
    """The checkout around a stack's folder or manifest; asks git only if it has to."""
    return LocalCheckout(_folder(path), environ=process_environment(), warn=warn)


def commit_here(path: Path) -> str | None:
    """The commit that is checked out around *path*, or that CI says it is about."""
    head = None
    if top_of(_folder(path)):
        try:
            head = commit_of(git_around(path), "HEAD")
        except GitMissing:
            pass  # an image without git runs every schedule, and nothing is wrong with that
        except GitFailed as error:
            warn(f"{error} The commit is therefore the one that CI names, or unknown.")
    environ = process_environment()
    named = (environ.get(key, "") for key in _CI)
    return head or next(filter(is_commit, named), None)


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def warn(warning: str) -> None:
    """Show what git warns of."""
    tell(f"warning: git: {warning}")
