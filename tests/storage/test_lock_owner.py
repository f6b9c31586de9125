"""Which job a lock belongs to, and how an owner is shown."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping

import pytest

from provisioner.storage.lock_owner import lock_owner_here, mark_of
from tests.storage.clock import AT_NOW

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "a/b",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "apply",
    "RUNNER_NAME": "runner 1",
}
GITLAB = {"CI_JOB_URL": "https://gitlab.example/j/1"}
BUILDKITE = {"BUILDKITE_BUILD_URL": "https://buildkite.example/1", "BUILDKITE_JOB_ID": "0190"}
CIRCLE = {"CIRCLE_BUILD_URL": "https://circle.example/1", "CIRCLE_NODE_INDEX": "0"}
JENKINS = {"BUILD_URL": "https://jenkins.example/1/", "NODE_NAME": "n", "EXECUTOR_NUMBER": "0"}


@pytest.mark.parametrize(
    ("job", "key", "value"),
    [
        (GITHUB, "GITHUB_RUN_ID", "8"),
        (GITHUB, "GITHUB_RUN_ATTEMPT", "2"),
        (GITHUB, "GITHUB_JOB", "keepalive"),
        (GITHUB, "RUNNER_NAME", "runner 2"),
        (GITLAB, "CI_JOB_URL", "https://gitlab.example/j/2"),
        (BUILDKITE, "BUILDKITE_JOB_ID", "0191"),
        (CIRCLE, "CIRCLE_NODE_INDEX", "1"),
        (JENKINS, "EXECUTOR_NUMBER", "1"),
        (JENKINS, "STAGE_NAME", "eu"),
    ],
)
def test_no_two_jobs_have_one_mark(job: Mapping[str, str], key: str, value: str) -> None:
    """Jobs that share a run, a build or a name have marks of their own."""
    assert mark_of(job)
    assert mark_of({**job, key: value}) != mark_of(job)


@pytest.mark.parametrize("job", [GITHUB, GITLAB, BUILDKITE, CIRCLE, JENKINS])
def test_the_steps_of_a_job_have_one_mark(job: Mapping[str, str]) -> None:
    """What a later step of a job sees leads to the mark that its lock begins with."""
    step = {"GITHUB_ACTION": "__run_2", "CI_JOB_STATUS": "canceled", "GITHUB_RUN_NUMBER": "3"}
    mark = mark_of({**job, **step})
    first, second = (lock_owner_here("apply", environ=job, runtime=AT_NOW).id for _ in range(2))

    assert mark
    assert first.startswith(mark)
    assert second.startswith(mark)
    assert first != second
    assert re.fullmatch("[0-9a-f]{10}-[0-9a-f]{12}", first)


def test_each_machine_has_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that are equal in every word but run on two machines have two marks."""
    here = mark_of(GITHUB)
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")

    assert mark_of(GITHUB) != here


def test_no_job_has_no_mark() -> None:
    """Outside of CI nothing says whose a lock is but its id."""
    assert mark_of({"HOME": "/root", "NODE_NAME": "n"}) is None
    assert re.fullmatch("[0-9a-f]{12}", lock_owner_here("apply", environ={}, runtime=AT_NOW).id)
