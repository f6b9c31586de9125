"""The review that a CI job belongs to, on whichever forge the job runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from provisioner.cli.forge import Forge
from provisioner.cli.github import github_api, merged_pull_request, pull_request
from provisioner.cli.gitlab import gitlab_api, merge_request, merged_merge_request
from provisioner.errors import CtxprovError

_NOWHERE = "There is no review to look for: this is a job of neither GitHub Actions nor GitLab CI."


@contextmanager
def review_of_job(
    environ: Mapping[str, str], number: int | None, author: str | None
) -> Iterator[Forge | None]:
    """What this job was started for; None if a newer commit is at its head by now."""
    if environ.get("GITHUB_ACTIONS"):
        with github_api(environ) as api:
            yield pull_request(api, environ, number, author)
    elif environ.get("GITLAB_CI"):
        with gitlab_api(environ) as api:
            yield merge_request(api, environ, number)
    else:
        raise CtxprovError(_NOWHERE)


@contextmanager
def merged_review(environ: Mapping[str, str], author: str | None) -> Iterator[Forge]:
    """What brought this job's commit into its branch.  Raises Refused if nothing did."""
    if environ.get("GITHUB_ACTIONS"):
        with github_api(environ) as api:
            yield merged_pull_request(api, environ, author)
    elif environ.get("GITLAB_CI"):
        with gitlab_api(environ) as api:
            yield merged_merge_request(api, environ)
    else:
        raise CtxprovError(_NOWHERE)
