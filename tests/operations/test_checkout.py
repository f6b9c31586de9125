"""Which commit a plan is of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.cli.terminal import program_ports
from provisioner.operations.checkout import commit_here
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git

SHA = "0123456789abcdef" * 2 + "01234567"


def test_the_commit_that_is_checked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git says goes before what CI says."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *who, "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    head = subprocess.run(
        ["git", "-C", tmp_path, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()

    monkeypatch.setenv("GITHUB_SHA", SHA)
    assert commit_here(program_ports(), tmp_path) == head
    assert commit_here(program_ports(), tmp_path / "ctxprov.yaml") == head


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
    tmp_path: Path,
    environ: dict[str, str],
    commit: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Outside of a repository, or without git at all, CI is believed if it names a commit."""
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.setenv(name, environ.get(name, ""))
    assert commit_here(program_ports(), tmp_path) == commit
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert commit_here(program_ports(), tmp_path) == commit
    assert capsys.readouterr().err == ""


def test_the_commit_of_the_history(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history names the commit that is checked out; if git refuses, its remedy is shown."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    git(stage.root, "init", "--quiet")
    git(stage.root, "commit", "--quiet", "--allow-empty", "--message", "first")
    stage.apply()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused = stage.run("keepalive", ".")

    runs = stage.run("state", "history", "-C", ".", "--json").json["runs"]

    commits = {run["operation"]: run["commit"] for run in runs}
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    assert commits["apply"] == commit_here(program_ports(), stage.root)
    assert commits.get("keepalive") is None
    assert refused.status == 0
    assert "git config --global --add safe.directory" in refused.err
