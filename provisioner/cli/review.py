"""The review that a CI job belongs to, on whichever forge the job runs."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.cli.forge import Forge
from provisioner.cli.github import github_api, merged_pull_request, pull_request
from provisioner.cli.gitlab import gitlab_api, merge_request, merged_merge_request
from provisioner.errors import CtxprovError

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
