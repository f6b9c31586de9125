"""Which commit a plan is of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.cli.checkout import commit_here

SHA = "0123456789abcdef" * 2 + "01234567"


def test_the_commit_that_is_checked_out(tmp_path: Path) -> None:
    """What git says goes before what CI says."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *who, "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    head = subprocess.run(
        ["git", "-C", tmp_path, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()

    assert commit_here(tmp_path, {"GITHUB_SHA": SHA}) == head
    assert commit_here(tmp_path / "ctxprov.yaml", {}) == head


@pytest.mark.parametrize(
    ("environ", "commit"),
    [
        ({"GITHUB_SHA": SHA}, SHA),
        ({"CI_COMMIT_SHA": SHA}, SHA),
        ({"GITHUB_SHA": "main; rm", "CI_COMMIT_SHA": SHA}, SHA),
        ({"GITHUB_SHA": "::set-output"}, None),
        ({}, None),
    ],
)
def test_without_git(
    tmp_path: Path, environ: dict[str, str], commit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a repository, or without git at all, CI is believed if it names a commit."""
    assert commit_here(tmp_path, environ) == commit
    monkeypatch.setenv("PATH", "")
    assert commit_here(tmp_path, environ) == commit
