"""A merge request: which one a job belongs to."""

from __future__ import annotations

import pytest

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
