"""Which commit a plan is of."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from provisioner.cli.git import commit_here, exported
from tests.repository import git

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
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_here(tmp_path, environ) == commit
    monkeypatch.setenv("PATH", "")
    assert commit_here(tmp_path, environ) == commit


def test_what_is_not_for_archives(tmp_path: Path) -> None:
    """Files that are left out of archives, or filled in for them, are as a checkout has them."""
    files = {
        ".gitattributes": "*.md export-ignore\n*.txt export-subst\n",
        "a.md": "a",
        "b.txt": "$Format:%H$",
    }
    folder = tmp_path / "repository" / "stack"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "away").symlink_to("/nowhere")
    root = folder.parent
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "all")
    hook = root / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)

    with exported(root, "HEAD", PurePosixPath("stack")) as there:
        assert there
        assert {name: (there / name).read_text() for name in files} == files
        assert (there / "away").is_symlink()
    with exported(root, "HEAD", PurePosixPath("elsewhere")) as there:
        assert there is None
    assert not (tmp_path / "hooked").exists()
