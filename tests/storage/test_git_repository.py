"""One branch of a remote, through a private repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.errors import StateError
from provisioner.runtime import SYSTEM
from provisioner.storage.git_repository import Pushed, Repository
from tests.repository import ALONE, git

ENVIRON = {"PATH": os.environ["PATH"], **ALONE}
Open = Callable[..., Repository]


@pytest.fixture
def open_repository(tmp_path: Path) -> Open:
    """A clone with a commit on main, opened by its branch `state`."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    remote.mkdir()
    git(remote, "init", "--quiet", "--bare", "--initial-branch=main")
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "first")
    git(clone, "push", "--quiet", "origin", "HEAD:main")

    def opened(*, branch: str = "state", largest: int = 1_000) -> Repository:
        return Repository(
            folder=clone,
            branch=branch,
            environ=ENVIRON,
            runtime=SYSTEM,
            warn=print,
            largest=largest,
        )

    return opened


def test_a_file_goes_round(open_repository: Open) -> None:
    """What one repository commits and pushes, another one reads at the tip."""
    here = open_repository()
    assert here.tip() is None
    commit = here.commit(None, {"a/b.json": b"one"}, "a message")
    assert here.push(commit, old=None) is Pushed.DONE

    there = open_repository()
    assert there.tip() == commit
    blob = there.blob(commit, "a/b.json")
    assert blob
    assert there.content(blob) == b"one"
    assert there.blob(commit, "c.json") is None

    emptied = there.commit(commit, {"a/b.json": None, "c.json": b"two"}, "another")
    assert there.push(emptied, old=commit) is Pushed.DONE
    assert here.tip() == emptied
    assert here.blob(emptied, "a/b.json") is None


def test_a_push_that_was_overtaken(open_repository: Open) -> None:
    """A push on a tip that is not the branch's any more changes nothing and says why."""
    first, second = open_repository(), open_repository()
    commit = first.commit(None, {"a.json": b"one"}, "first")
    first.push(commit, old=None)

    assert second.push(second.commit(None, {"a.json": b"two"}, "second"), old=None) is (
        Pushed.OVERTAKEN
    )
    assert second.refusal
    assert second.tip() == commit


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ("main", "is checked out"),
        ("-x", "no branch of that name"),
        ("head", "no branch of that name"),
        ("a..b", "no branch of that name"),
    ],
)
def test_branches_that_hold_no_state(open_repository: Open, branch: str, reason: str) -> None:
    """A branch that people work on, or that git cannot have, is refused before any write."""
    with pytest.raises(StateError, match=reason):
        open_repository(branch=branch).tip()


def test_a_file_beyond_the_limit(open_repository: Open) -> None:
    """A file larger than a state can be is refused before it is read."""
    repository = open_repository(largest=3)
    commit = repository.commit(None, {"a.json": b"four"}, "large")
    blob = repository.blob(commit, "a.json")
    assert blob

    with pytest.raises(StateError, match="has 4 bytes, and at most 3 are read"):
        repository.content(blob)
