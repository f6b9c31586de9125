"""Git is started where and as it is safe, against any checkout and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from provisioner.errors import GitFailed, GitTimeout
from provisioner.files import top_of
from provisioner.git import SETTINGS, UNSET, Git, commit_of, git_at, hardened
from tests.repository import ALONE, git


def opened(folder: Path, **environ: str) -> Git:
    return git_at(folder, environ={"PATH": os.environ["PATH"], **ALONE, **environ}, warn=print)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with one commit, and a folder in it."""
    top = tmp_path / "top"
    (top / "stacks" / "bot").mkdir(parents=True)
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "commit", "--quiet", "--allow-empty", "--message", "first")
    return top


def settings(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    count = int(environ["GIT_CONFIG_COUNT"])
    return [
        (environ[f"GIT_CONFIG_KEY_{at}"], environ[f"GIT_CONFIG_VALUE_{at}"]) for at in range(count)
    ]


def test_the_environment() -> None:
    """What leads elsewhere goes, what CI passes stays, and our settings come last."""
    astray = dict.fromkeys(UNSET, "/elsewhere")
    passed = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "/checkout",
        "GIT_CONFIG_GLOBAL": "/ci/gitconfig",
        "GIT_SSH_COMMAND": "ssh -i key",
        "GIT_ASKPASS": "/ci/askpass",
    }

    environ = hardened({**astray, **passed, "LC_ALL": "de_DE.UTF-8"}, [("user.name", "Ada")])

    assert not UNSET & set(environ)
    assert settings(environ) == [("safe.directory", "/checkout"), ("user.name", "Ada"), *SETTINGS]
    kept = ("GIT_CONFIG_GLOBAL", "GIT_SSH_COMMAND", "GIT_ASKPASS")
    assert [environ[key] for key in kept] == [passed[key] for key in kept]
    assert (environ["LC_ALL"], environ["GIT_TERMINAL_PROMPT"]) == ("C", "0")


@pytest.mark.parametrize("count", ["", "x", "-1"])
def test_a_count_that_counts_nothing(count: str) -> None:
    """A GIT_CONFIG_COUNT that git would refuse hides none of our settings."""
    assert settings(hardened({"GIT_CONFIG_COUNT": count})) == list(SETTINGS)


def test_a_relative_path_of_programs(top: Path, tmp_path: Path) -> None:
    """A `git` in the checkout is not started, though PATH names the current folder."""
    planted = top / "git"
    planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    planted.chmod(0o755)

    path = os.pathsep.join(["", ".", os.environ["PATH"]])
    assert commit_of(opened(top, PATH=path), "HEAD")

    assert not (tmp_path / "ran").exists()


def test_the_top_is_found_from_below(top: Path) -> None:
    """Git runs in the nearest folder above that has a `.git`, links followed."""
    link = top.parent / "link"
    link.symlink_to(top / "stacks" / "bot")

    assert opened(top / "stacks" / "bot").top == top
    assert opened(link).top == top
    assert top_of(top.parent) is None


def test_a_linked_worktree(top: Path) -> None:
    """In a linked worktree the top is the worktree."""
    git(top, "worktree", "add", "--quiet", "../tree", "-b", "other")

    assert opened(top.parent / "tree").top == top.parent / "tree"


def test_no_repository(tmp_path: Path) -> None:
    """Outside of every repository the answer says so."""
    with pytest.raises(GitFailed, match="is not in a git repository"):
        opened(tmp_path)


@pytest.mark.parametrize("entry", ["", "gitdir: nowhere\n"])
def test_a_repository_that_git_does_not_see(top: Path, entry: str) -> None:
    """A `.git` that git passes over, or cannot follow, is refused with git's own words."""
    nested = top / "stacks"
    if entry:
        (nested / ".git").write_text(entry)
    else:
        (nested / ".git").mkdir()

    with pytest.raises(
        GitFailed, match=r"git refuses the repository .*(toplevel|fatal: not a git)"
    ):
        opened(nested / "bot")


def test_a_top_that_points_elsewhere(top: Path, tmp_path: Path) -> None:
    """A repository whose configuration names another working tree is refused."""
    git(top, "config", "core.worktree", str(tmp_path))

    with pytest.raises(GitFailed, match=r"core\.worktree"):
        opened(top)


def test_a_foreign_owner(top: Path) -> None:
    """A checkout of another owner is refused with git's remedy, which then helps."""
    foreign = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    allowed = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(top),
    }

    with pytest.raises(GitFailed, match=rf"dubious ownership.*--add safe.directory {top}"):
        opened(top, **foreign)
    assert opened(top, **foreign, **allowed).top == top


def test_run_by_a_hook(top: Path, tmp_path: Path) -> None:
    """What git passes to its hooks leads to no other repository."""
    git(tmp_path, "init", "--quiet", "other")
    other = {"GIT_DIR": f"{tmp_path}/other/.git", "GIT_WORK_TREE": f"{tmp_path}/other"}

    assert commit_of(opened(top, **other, GIT_INDEX_FILE="/nowhere/index"), "HEAD")


def test_a_warning_reaches_the_caller(top: Path) -> None:
    """What git warns of beside an answer is passed on, and only that."""
    git(top, "branch", "v1")
    git(top, "tag", "v1")
    warnings: list[str] = []

    quiet = opened(top)
    assert commit_of(replace(quiet, warn=warnings.append), "v1")

    assert warnings == ["refname 'v1' is ambiguous"]


@pytest.mark.parametrize("credential", ["ann", "ann:secret", "ann:sec@ret", ":@"])
def test_a_credential_is_left_out(top: Path, credential: str) -> None:
    """What git says of a URL comes without its credential, whichever signs that has."""
    says = (
        f"alias.fail=!echo \"fatal: unable to access 'https://{credential}@host/a@b'\" >&2; false"
    )

    assert opened(top).run("-c", says, "fail").err == "fatal: unable to access 'https://host/a@b'"


def test_a_call_that_takes_too_long(top: Path) -> None:
    """A call that does not end is given up, with what it started."""
    slow = git_at(top, environ={"PATH": os.environ["PATH"]}, warn=print, timeout=0.5)

    with pytest.raises(GitTimeout, match=r"no answer within 0.5 s"):
        slow.run("-c", "alias.wait=!sleep 60", "wait")


def test_no_git(top: Path) -> None:
    """Without the git command the answer names it."""
    with pytest.raises(GitFailed, match="git command"):
        git_at(top, environ={"PATH": "/nonexistent"}, warn=print)
