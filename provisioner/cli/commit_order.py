"""
Whether the commit that is checked out is older than the one that was last applied.

Rerunning the job of an older commit would roll the newer one back.  Git says whether it is
an ancestor; where the checkout is too shallow for that, the committer's dates decide.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from provisioner.cli.checkout import commit_here, git_around
from provisioner.cli.messages import tell
from provisioner.errors import GitFailed, Refused
from provisioner.git import Git
from provisioner.model.changes import Cause
from provisioner.model.facts import Revision
from provisioner.model.plan import Plan

_SHOWN = re.compile(r"(?P<commit>[0-9a-f]{40,64}) (?P<seconds>-?[0-9]{1,11})", re.ASCII)


def revision_here(folder: Path) -> Revision | None:
    """The commit that is checked out around *folder*, or that CI names; None if neither does."""
    git = _git(folder)
    # Without the last word a file named HEAD would make git ask which of both is meant.
    show = ("show", "--no-patch", "--no-show-signature", "--format=%H %ct", "HEAD", "--")
    shown = git and _SHOWN.fullmatch(git.run(*show).line)
    if shown:
        at = datetime.fromtimestamp(int(shown["seconds"]), UTC)
        return Revision(commit=shown["commit"], committed_at=at)
    commit = commit_here(folder)
    return Revision(commit=commit) if commit else None


def refuse_older(folder: Path, here: Revision, last: Revision) -> None:
    """Raise Refused if *here* is older than *last*, as far as git or the dates tell."""
    if here.commit == last.commit:
        return
    is_older = _is_ancestor(folder, here.commit, last.commit)
    if is_older is None and here.committed_at and last.committed_at:
        is_older = here.committed_at < last.committed_at
    if is_older:
        raise Refused(
            f"The commit {here.commit[:12]} is older than {last.commit[:12]}, whose edits were "
            "applied last: what both change would go back. Nothing was changed. Apply at the newer "
            "commit, where --expect or --plan with the approval of the older one performs what is "
            "left of that; or add --allow-older to go back."
        )


def warn_of_older(folder: Path, plan: Plan, last: Revision | None) -> bool:
    """Whether apply would refuse the edits of *plan* as older than *last*; a warning if so."""
    here = revision_here(folder) if last and performs_edits(plan) else None
    try:
        if here and last:
            refuse_older(folder, here, last)
    except Refused as error:
        tell(f"warning: {error}")
        return True
    return False


def performs_edits(plan: Plan) -> bool:
    return Cause.EDIT in plan.causes


def _is_ancestor(folder: Path, one: str, other: str) -> bool | None:
    """None if the checkout does not hold enough of the history."""
    git = _git(folder)
    if git is None:
        return None
    match git.run("merge-base", "--is-ancestor", one, other).status:
        case 0:
            return True
        case 1 if git.run("rev-parse", "--is-shallow-repository").line == "false":
            return False
        case _:
            return None


def _git(folder: Path) -> Git | None:
    try:
        return git_around(folder)
    except GitFailed:
        return None
