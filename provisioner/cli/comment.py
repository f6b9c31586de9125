"""
The comment under a review: written by the job that plans, read by the job that applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provisioner.cli import clock, console
from provisioner.cli.documents import plan_views
from provisioner.cli.forge import Forge
from provisioner.cli.review import merged_review, review_of_job
from provisioner.cli.status import Status
from provisioner.environment import process_environment
from provisioner.errors import Refused
from provisioner.manifest.stack import load_frame
from provisioner.model.plan import Plan
from provisioner.render.review_comment import comment_text, mark_in, topic_of
from provisioner.view.plan import PlanView

_STALE = "No open request for review has this commit at its head any more; nothing is written."


def write_comment(files: tuple[Path, ...], *, number: int | None, author: str | None) -> Status:
    """Show plans in one comment under a pull request or merge request."""
    views = [view for file in files for view in plan_views(file)]
    forge = review_of_job(process_environment(), number, author)
    console.say(_report(forge, views) if forge else _STALE)
    return Status.OK


def _report(forge: Forge, views: Sequence[PlanView]) -> str:
    """Make the comment say what *views* say, and return the sentence about that."""
    mark, text = comment_text(views)
    for comment in forge.mine():
        there = mark_in(comment.text)
        if there is None or there.topic != mark.topic:
            continue
        if there == mark:
            return "The comment is up to date."
        forge.edit(comment, text)
        return "Comment edited."
    if not any(view.has_edits or view.leftover for view in views):
        return "There are no edits to comment on."
    forge.add(text)
    return "Comment written."


def print_approval(stack: Path, *, environment: str | None, author: str | None) -> Status:
    """Print what the review of this commit approved, for apply --expect."""
    console.output_is_the_work()
    name = load_frame(stack, environment=environment).stack
    comments = merged_review(process_environment(), author).mine()
    marks = [mark for comment in comments if (mark := mark_in(comment.text))]
    for mark in marks:
        if mark.topic == topic_of([name]):
            if mark.cut:
                raise Refused(
                    f"The comment on {name} had no room for every change, so no review can cover "
                    "them all. Plan, read and apply by hand."
                )
            console.say(str(mark.approval))
            return Status.OK
    console.say(Plan(stack=name, at=clock.now(), changes=(), edits=frozenset()).fingerprint)
    return Status.OK
