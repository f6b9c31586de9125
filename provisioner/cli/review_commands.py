"""
Options and help of what a review needs: `render`, `changed`, `comment` and `approved`.

What a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import options

author_option = click.option(
    "--author",
    metavar="LOGIN",
    envvar="CTXPROV_AUTHOR",
    show_envvar=True,
    help="Name the comment's author on GitHub, if the token cannot; by default "
    "github-actions[bot].",
)


@click.command("render")
@click.argument("file", type=click.Path(path_type=Path))
@options.flag("-v", "--verbose", help="Show every change attribute by attribute.")
@options.out_option
@options.colour_option
@options.calls("review", "render_plan")
def render_command() -> None:
    """
    Render a plan in JSON as another document, offline, without a key.

    FILE is what ctxprov plan --out json=FILE wrote. It may come from an untrusted
    job: render refuses all but an exact plan, and escapes every text in it. Without --out it
    shows the plan as text.

    \b
    Examples:
      ctxprov render plan.json
      ctxprov render plan.json --out markdown=comment.md
    """


@click.command("changed")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--base", required=True, metavar="REF", help="Compare with the merge base of REF.")
@options.max_caches_option
@options.models_option
@options.json_option
@options.calls("review", "list_changed_stacks")
def changed_command() -> None:
    """
    List the stacks that a branch edits.

    Looks at the whole repository around FOLDER and at the submodules that are checked out;
    paths count from its top. It compares stacks by name, also across folders. With --json the
    list is a matrix for CI jobs, one job per stack and environment; env is empty where there
    are none; removed is true for what the branch declares no longer, which plan --base shows and
    apply cannot do anything about. What cannot be read counts as edited, so that its job says
    what is wrong. Needs no key and no state.

    \b
    Examples:
      ctxprov changed --base origin/main
      ctxprov changed --base origin/main --json
    """


@click.command("comment")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--number",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Comment on this pull or merge request; by default that of the CI job.",
)
@author_option
@options.calls("review", "write_comment")
def comment_command() -> None:
    """
    Show plans in one comment under a pull request or merge request.

    For jobs of GitHub Actions (with GITHUB_TOKEN) and GitLab CI (with GITLAB_TOKEN). Each FILE
    is a plan in JSON, which may come from an untrusted job. The command edits the comment only when
    the edits, limits or money in it change, and writes none for a plan without edits of a stack
    that is declared.

    \b
    Examples:
      ctxprov comment plan.json
      ctxprov comment plan.json --number 12
    """


@click.command("approved")
@options.stack_argument
@options.env_option
@author_option
@options.calls("review", "print_approval")
def approved_command() -> None:
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
