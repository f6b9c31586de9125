"""Where a file is expected and something else stands, a command ends at once and names it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from provisioner.handles.reader import Handles
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git

A = f"a: {{{GEMINI}, content: a.md}}"
PATIENCE = 30
"""Seconds, far more than all of these commands need."""


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


KINDS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "FIFO"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "device"),
    "sparse": (sparse, "3,221,225,472 bytes"),
    "folder": (Path.mkdir, "folder"),
}

DOORS: Mapping[str, tuple[str, ...]] = {
    "plan": ("apply", ".", "--plan", "FILE"),
    "render": ("render", "FILE"),
    "models": ("plan", ".", "--emulator", "--models", "FILE"),
    "push": ("state", "push", "FILE", "-C", "."),
    "event": ("comment", "plan.json"),
}


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """What waits is ended, and fails its test."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"still waiting after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack in the working directory."""
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A plan, models, a state to push or an event that is no file is refused by its kind."""
    make, noun = KINDS[kind]
    make(stage.root / "FILE")
    stage.run("plan", ".", "--out", "json=plan.json")
    event = {"API_URL": "http://127.0.0.1:9", "TOKEN": "t", "REPOSITORY": "a/b"}
    for name, value in {**event, "ACTIONS": "true", "EVENT_PATH": "FILE"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    for arguments in DOORS.values():
        answer = stage.run(*arguments)
        assert (answer.status, noun in answer.err) == (1, True), (arguments, answer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.md", "ctxprov.yaml", "more.ctxprov.yaml"])
def test_a_file_of_the_stack(stage: Stage, name: str, kind: str) -> None:
    """Content or a manifest that is no file is a problem with its place."""
    (stage.root / name).unlink(missing_ok=True)
    KINDS[kind][0](stage.root / name)
    answer = stage.run("validate", ".")
    assert (answer.status, name in answer.err) == (1, True), answer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["demo.json", "demo.lock", "demo.history/runs.json"])
def test_a_file_of_the_state(stage: Stage, name: str, kind: str) -> None:
    """A state, a lock or a history that is no file stops nothing for longer than a sentence."""
    path = stage.root / "state" / name
    path.parent.mkdir(parents=True)
    KINDS[kind][0](path)
    for arguments in (
        ("lock", "status", "-C", "."),
        ("state", "history", "-C", "."),
        ("plan", "."),
    ):
        stage.run(*arguments)
    applied = stage.apply()
    if name != "demo.history/runs.json":
        assert (applied.status, stage.live()) == (1, {}), applied


@pytest.mark.parametrize("kind", KINDS)
def test_published_handles(stage: Stage, kind: str) -> None:
    """What is no file where handles are published is left alone, and reads as cold."""
    path = stage.root / "handles.json"
    KINDS[kind][0](path)
    assert stage.apply().status == 1
    assert Handles(path).get("a") is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_of_the_emulator(stage: Stage, kind: str) -> None:
    """A store that cannot be one is a failure with its name."""
    KINDS[kind][0](stage.root / "caches")
    answer = stage.run("emulator", "--store", "caches", "--port", "0")
    assert (answer.status, "caches cannot hold the emulator's caches" in answer.err) == (1, True)
    assert "bug" not in answer.err


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_metrics(stage: Stage, kind: str) -> None:
    """A file of metrics that is no file is neither read nor replaced."""
    make, noun = KINDS[kind]
    make(stage.root / "m.prom")
    answer = stage.apply("--metrics-file", "m.prom")
    assert (answer.status, noun in answer.err) == (1, True), answer


def test_a_link_in_place_of_an_old_path(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A request that puts a link in the place of content does not have its target shown."""
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("the pass of the treasury\n")
    git(stage.root, "init", "-q", "-b", "main")
    git(stage.root, "add", "-A")
    git(stage.root, "commit", "-q", "-m", "one")
    stage.write(A.replace("a.md", "b.md"), b=LONG + "more")
    (stage.root / "a.md").unlink()
    (stage.root / "a.md").symlink_to(secret)

    answer = stage.run("plan", ".", "--base", "main", "-v")

    assert (answer.status, "treasury" in answer.out + answer.err) == (0, False), answer
    assert "a.md" in answer.out


@pytest.mark.parametrize("path", [".git/config", "b.md"])
def test_the_token_of_a_job(stage: Stage, path: str) -> None:
    """A request whose content is git's configuration has no token shown or sent."""
    git(stage.root, "init", "-q", "-b", "main")
    git(stage.root, "config", "http.extraheader", "AUTHORIZATION: basic treasury")
    git(stage.root, "add", "-A")
    git(stage.root, "commit", "-q", "-m", "one")
    stage.write(A.replace("a.md", path))
    (stage.root / "b.md").symlink_to(".git/config")

    for arguments in (("plan", ".", "--base", "main", "-v"), ("apply", ".", "--auto-approve")):
        answer = stage.run(*arguments)
        assert (answer.status, "treasury" in answer.out + answer.err) == (1, False), answer
        assert "lies in git's own folder" in answer.err
