"""The review that a CI job belongs to, on the forge that runs it, and our comment under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioner.errors import CtxprovError, Refused
from provisioner.model.plan import ApprovalText
from provisioner.render.review_comment import comment_text, mark_in, topic_of
from provisioner.review.forge import Forge
from provisioner.review.github import github_api, merged_pull_request, pull_request
from provisioner.review.gitlab import gitlab_api, merge_request, merged_merge_request
from provisioner.view.plan import PlanView

_NOWHERE = (
    "No review to read: this is no job of GitHub Actions or GitLab CI. Run the command in one."
)


def review_of_job(
    environ: Mapping[str, str], number: int | None, author: str | None
) -> Forge | None:
    """What this job was started for; None if a newer commit is at its head by now."""
    if environ.get("GITHUB_ACTIONS"):
        return pull_request(github_api(environ), environ, number, author)
    if environ.get("GITLAB_CI"):
        return merge_request(gitlab_api(environ), environ, number)
    raise CtxprovError(_NOWHERE)


def merged_review(environ: Mapping[str, str], author: str | None) -> Forge:
    """What brought this job's commit into its branch.  Raises Refused if nothing did."""
    if environ.get("GITHUB_ACTIONS"):
        return merged_pull_request(github_api(environ), environ, author)
    if environ.get("GITLAB_CI"):
        return merged_merge_request(gitlab_api(environ), environ)
    raise CtxprovError(_NOWHERE)


def approval_under(forge: Forge, stack: str) -> ApprovalText | None:
    """
    What our comment on *stack* alone shows the edits of; None without such a comment.

    Raises Refused if it had no room for every change.
    """
    marks = (mark_in(comment.text) for comment in forge.mine())
    mark = next((mark for mark in marks if mark and mark.topic == topic_of([stack])), None)
    if mark and mark.cut:
        raise Refused(
            f"The comment on {stack} had no room for every change, so no review can cover "
            "them all. Plan, read and apply by hand."
        )
    return mark.approval if mark else None


def write_under(forge: Forge, views: Sequence[PlanView]) -> str:
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
