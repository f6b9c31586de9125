"""Which review a CI job belongs to is decided by its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.errors import CtxprovError, Refused
from provisioner.review.github import GitHub
from provisioner.review.gitlab import GitLab
from provisioner.review.job import merged_review, review_of_job
from tests.ci import forge


def test_the_forge_of_a_job(tmp_path: Path) -> None:
    """A job of GitHub Actions has a pull request, one of GitLab CI a merge request."""
    hub, lab = forge.GitHub(), forge.GitLab()
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    with forge.served(hub), forge.served(lab):
        ours = {**hub.environ, "GITHUB_EVENT_PATH": str(event)}
        assert isinstance(review_of_job(ours, None, None), GitHub)
        assert isinstance(review_of_job(lab.environ, None, None), GitLab)


def test_the_review_of_a_merge() -> None:
    """The commit of a job is of the one request that was merged into its branch, or of none."""
    for kind, review in ((forge.GitHub, GitHub), (forge.GitLab, GitLab)):
        served = kind()
        with forge.served(served):
            with pytest.raises(Refused, match="there is: none"):
                merged_review(served.environ, None)
            served.merged = True
            assert isinstance(merged_review(served.environ, None), review)


def test_no_job() -> None:
    """Outside of a CI job there is no review, and the error says where to run the command."""
    with pytest.raises(CtxprovError, match="Run the command in one"):
        review_of_job({}, 7, None)
    with pytest.raises(CtxprovError, match="Run the command in one"):
        merged_review({"GITHUB_ACTIONS": ""}, None)
