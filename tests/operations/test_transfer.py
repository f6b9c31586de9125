"""Records go from one stack to another by commands, and no cache is made for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.storage.terraform_server import Reply, Request, States, terraform_server

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
DESK = "version: 1\nstack: desk\npublish: handles.json\n"


def test_a_stack_gets_another_name(stage: Stage) -> None:
    """Under the old name every run is refused with the new one; under that all goes on."""
    stage.write(A, a=LONG)
    stage.apply()
    dry = stage.run("state", "rename-stack", "demo", "desk", "-C", ".", "--dry-run")
    assert dry.out.startswith("Dry run: demo is desk now")

    assert stage.run("state", "rename-stack", "demo", "desk", "-C", ".").status == 0

    for command in ("plan", "apply", "keepalive", "drift", "next", "destroy"):
        result = stage.run(command, ".")
        assert result.status == 3
        assert "it is desk now" in result.err
    stage.write(A, a=LONG, head=DESK)
    assert stage.changes() == {"a": ("keep", "current")}
    assert stage.apply("--prune").status == 0
    assert stage.count("create", "delete") == 1
    again = stage.run("state", "rename-stack", "demo", "desk", "-C", ".")
    assert (again.status, again.out[:12]) == (0, "Already done")


def test_an_environment_gets_another_name(stage: Stage) -> None:
    """An environment's state goes where the manifest has it, also if that names one of them."""
    head = "version: 1\nstack: demo\nenvironments: {blue: {state: there}}\n"
    stage.write(A, a=LONG, head=head)
    assert stage.apply("--env", "blue").status == 0
    stage.write(A, a=LONG, head=head.replace("blue", "green"))

    result = stage.run("state", "rename-stack", "demo.blue", "demo.green", "-C", ".")

    assert result.status == 0
    assert stage.changes("--env", "green") == {"a": ("keep", "current")}
    assert stage.run("state", "rename-stack", "x", "y", "-C", ".").status == 3
    assert stage.run("state", "rename-stack", "demo/../x", "y", "-C", ".").status == 64


@pytest.fixture
def two(stage: Stage) -> tuple[Path, Path]:
    """Two stacks beside each other: the first has two caches, the second none yet."""
    one, other = stage.root / "one", stage.root / "other"
    for folder, stack, caches in ((one, "one", f"  {A}\n  {B}\n"), (other, "other", "")):
        folder.mkdir()
        body = f"caches:\n{caches}" if caches else "caches: {}\n"
        (folder / "ctxprov.yaml").write_text(f"version: 1\nstack: {stack}\n{body}")
        for name in "ab":
            (folder / f"{name}.md").write_text(LONG + name)
    assert stage.run("apply", str(one), "--auto-approve").status == 0
    return one, other


def declare(folder: Path, *caches: str) -> None:
    body = "".join(f"  {cache}\n" for cache in caches)
    (folder / "ctxprov.yaml").write_text(f"version: 1\nstack: {folder.name}\ncaches:\n{body}")


def test_a_cache_goes_to_another_stack(stage: Stage, two: tuple[Path, Path]) -> None:
    """Neither stack makes, retires or prunes anything once the entry has gone along."""
    one, other = two
    assert stage.run("state", "mv", "a", "--to-stack", str(other), "-C", str(one)).status == 0
    declare(one, B)
    declare(other, A)

    for folder in two:
        assert stage.run("apply", str(folder), "--auto-approve", "--prune").status == 0
        assert stage.run("plan", str(folder), "--detailed-exitcode").status == 0
        assert stage.run("drift", str(folder)).status == 0
    assert stage.count("create") == 2
    assert stage.count("patch", "delete") == 0
    assert len(stage.live()) == 2


def test_what_was_given_away_is_not_adopted_again(stage: Stage, two: tuple[Path, Path]) -> None:
    """A stack that still declares the name makes a cache of its own."""
    one, other = two
    stage.run("state", "mv", "a", "--to-stack", str(other), "-C", str(one))
    declare(other, A)

    plan = stage.run("plan", str(one), "--json").json

    assert {c["name"]: c["action"] for c in plan["changes"]} == {"a": "create", "b": "keep"}


def run_until_second_save(arguments: list[str], states: States) -> None:
    """Run a command in a process of its own, and kill it as its second state arrives."""
    saves: list[str] = []
    process: list[subprocess.Popen[bytes]] = []

    def kill(request: Request) -> Reply | None:
        if request.method != "POST":
            return None
        saves.append(request.path)
        if len(saves) < 2:
            return None
        process[0].send_signal(signal.SIGKILL)
        process[0].wait()
        return 0, b"", {}

    states.before = kill
    environ = {**os.environ, "CTXPROV_STATE": f"{states.url}/states"}
    process.append(subprocess.Popen([sys.executable, "-m", "provisioner", *arguments], env=environ))
    assert process[0].wait() == -signal.SIGKILL
    assert len(saves) == 2
    states.before = lambda _: None


@pytest.mark.heavy
@pytest.mark.parametrize("verb", ["rename-stack", "mv"])
def test_killed_between_the_two_saves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, two: tuple[Path, Path], verb: str
) -> None:
    """The same command finishes what a killed one began, and nothing is on record twice."""
    one, other = two
    with terraform_server() as states:
        monkeypatch.setenv("CTXPROV_STATE", f"{states.url}/states")
        assert stage.run("apply", str(one), "--auto-approve").status == 0
        arguments = {
            "rename-stack": ["state", "rename-stack", "one", "other", "-C", str(one)],
            "mv": ["state", "mv", "a", "--to-stack", str(other), "-C", str(one)],
        }[verb]
        run_until_second_save(arguments, states)
        states.locks.clear()
        declare(other, A, B) if verb == "rename-stack" else declare(other, A)
        assert stage.run("keepalive", str(one)).status == 0

        assert stage.run(*arguments).status == 0
        assert stage.run(*arguments).out.startswith("Already done")
        assert stage.run("plan", str(other), "--detailed-exitcode").status == 0
        old = stage.run("drift", str(one))
        assert old.status == (3 if verb == "rename-stack" else 0)
    assert stage.count("create", "delete") == 2
