"""A CI job for a review, whose forge is served on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.forge import Forge, served
from tests.cli.cli_harness import LONG, Stage

OF_REQUESTS = ("CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")


def job_on(forge: Forge, stage: Stage, environ: pytest.MonkeyPatch) -> Iterator[Any]:
    with served(forge):
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", *OF_REQUESTS):
            environ.delenv(name, raising=False)
        for name, value in forge.environ.items():
            environ.setenv(name, value)
        started_by(stage, environ, {"pull_request": {"number": 7}})
        yield forge


def started_by(stage: Stage, environ: pytest.MonkeyPatch, event: Any) -> None:  # noqa: ANN401  # JSON
    file = stage.root / "event.json"
    file.write_text(json.dumps(event))
    environ.setenv("GITHUB_EVENT_PATH", str(file))


def planned(stage: Stage, *caches: str, **files: str) -> Path:
    stage.write(*caches, a=LONG, **files)
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}").status == 0
    return file
