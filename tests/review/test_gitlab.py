"""A merge request: which one a job belongs to."""

from __future__ import annotations

import pytest

from provisioner.errors import CtxprovError
from provisioner.review.gitlab import gitlab_api, merge_request
from tests.ci.forge import GitLab
from tests.cli.cli_harness import GEMINI, Stage
from tests.cli.review_job import planned

A = f"a: {{{GEMINI}, content: a.md}}"


@pytest.mark.parametrize(("head", "written"), [("abc", 1), ("newer", 0)])
def test_an_overtaken_pipeline(stage: Stage, lab: GitLab, head: str, written: int) -> None:
    """A pipeline of GitLab that a newer commit has overtaken writes nothing."""
    lab.head = head
    result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 0
    assert len(lab.said) == written


def test_a_pipeline_of_merged_results(lab: GitLab) -> None:
    """A pipeline of merged results goes by the source branch, for its own commit is another."""
    ours = {**lab.environ, "CI_COMMIT_SHA": "merged"}
    source = {**ours, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "abc"}

    assert merge_request(gitlab_api(ours), ours, None) is None
    assert merge_request(gitlab_api(source), source, None)


def test_a_request_by_its_number(lab: GitLab) -> None:
    """A number that is given is taken as it is, and without one a job of no request is an error."""
    environ = {**lab.environ, "CI_MERGE_REQUEST_IID": ""}

    assert merge_request(gitlab_api(environ), environ, 7)
    with pytest.raises(CtxprovError, match="name one with --number"):
        merge_request(gitlab_api(environ), environ, None)
