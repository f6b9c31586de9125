"""`ctxprov approved`: what the review of a merged commit showed."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import clock, console, options
from provisioner.cli.review import author_option, merged_review
from provisioner.cli.status import Status
from provisioner.environment import process_environment
from provisioner.errors import Refused
from provisioner.manifest import load_frame
from provisioner.model import Plan
from provisioner.render.review_comment import mark_in, topic_of


@click.command("approved")
@options.stack_argument
@options.env_option
@author_option
def command(stack: Path, *, environment: str | None, author: str | None) -> Status:
    """
    Print what the review of this commit approved, for apply --expect.

    For the job that applies what was merged, on GitHub Actions and GitLab CI. Finds the pull
    request or merge request that brought the commit into its branch and reads the comment that
    ctxprov comment wrote under it: the fingerprint, the broken limits that it showed, and the
    digest of each edit. Without a comment no edit is approved. A commit without a request, and a
    comment that was too long to show everything, are refused.

    \b
    Examples:
      ctxprov approved
      ctxprov approved stacks/support-bot
    """
    console.output_is_the_work()
    name = load_frame(stack, environment=environment).stack
    with merged_review(process_environment(), author) as forge:
        marks = [mark for comment in forge.mine() if (mark := mark_in(comment.text))]
    for mark in marks:
        if mark.topic == topic_of([name]):
            if mark.cut:
                raise Refused(
                    f"The comment on {name} had no room for every change, so nobody can have "
                    "read them all: plan, read and apply by hand."
                )
            console.say(str(mark.approval))
            return Status.OK
    console.say(Plan(stack=name, at=clock.now(), changes=(), edits=frozenset()).fingerprint)
    return Status.OK
