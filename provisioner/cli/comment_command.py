"""`ctxprov comment`: a plan where it is reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from provisioner.cli import console
from provisioner.cli.forge import Forge
from provisioner.cli.plan_file import plan_views
from provisioner.cli.review import author_option, review_of_job
from provisioner.cli.status import Status
from provisioner.environment import process_environment
from provisioner.render.review_comment import comment_text, mark_in
from provisioner.view.plan import PlanView

_STALE = "No open request for review has this commit at its head any more; nothing is written."


@click.command("comment")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--number",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Of the pull or merge request; by default that of the CI job.",
)
@author_option
def command(files: tuple[Path, ...], *, number: int | None, author: str | None) -> Status:
    """
    Show plans in one comment under a pull request or merge request.

    For jobs of GitHub Actions (with GITHUB_TOKEN) and GitLab CI (with GITLAB_TOKEN). Each FILE
    is a plan in JSON, which may come from a job that is not trusted. The comment is edited only
    when the edits, limits or money in it change, and none is begun for a plan without edits
    of a stack that is declared.

    \b
    Examples:
      ctxprov comment plan.json
      ctxprov comment plan.json --number 12
    """
    views = [view for file in files for view in plan_views(file)]
    with review_of_job(process_environment(), number, author) as forge:
        console.say(_told(forge, views) if forge else _STALE)
    return Status.OK


def _told(forge: Forge, views: Sequence[PlanView]) -> str:
    """Make the comment say what *views* say, and tell what that took."""
    mark, text = comment_text(views)
    for comment in forge.mine():
        there = mark_in(comment.text)
        if there is None or there.topic != mark.topic:
            continue
        if there == mark:
            return "The comment tells the same already."
        forge.edit(comment, text)
        return "Comment edited."
    if not any(view.has_edits or view.leftover for view in views):
        return "There are no edits to comment on."
    forge.add(text)
    return "Comment written."
