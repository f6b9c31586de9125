"""A manifest writes inside of its repository alone, and over nothing that ctxprov did not write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git

A = f"a: {{{GEMINI}, content: a.md}}"
FOREIGN = "is a file that ctxprov did not write"
OUT = "leads out of"


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def file(path: Path, text: str = "a person wrote this\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


Attack = tuple[str, Callable[[Path, Path], object], str]
"""Keys of the stack, what the checkout carries besides, and the reason of the refusal."""

ATTACKS: Mapping[str, Attack] = {
    "the manifest": ("publish: ctxprov.yaml", lambda *_: None, "has the name of a manifest"),
    "a fragment": ("publish: b.ctxprov.yaml", lambda *_: None, "has the name of a manifest"),
    "a lock of another stack": (
        "publish: state/other.lock",
        lambda root, _: file(root / "state" / "other.lock", ""),
        "has the name of a state's lock",
    ),
    "a lock in a store": (
        "publish: s3://bucket/states/other.lock.json",
        lambda *_: None,
        "has the name of a state's lock",
    ),
    "a draft": ("publish: .ctxprov.tmp", lambda *_: None, "has the name of a draft"),
    "content": ("publish: a.md", lambda *_: None, FOREIGN),
    "JSON of others": (
        "publish: package.json",
        lambda root, _: file(root / "package.json", '{"version": "1.0.0"}'),
        FOREIGN,
    ),
    "a parent": ("publish: ../handles.json", lambda *_: None, OUT),
    "an absolute path": ("publish: /tmp/ctxprov-handles.json", lambda *_: None, OUT),
    "a link": (
        "publish: handles.json",
        lambda root, outside: link(root / "handles.json", outside / "important"),
        OUT,
    ),
    "a link to a folder": (
        "publish: out/handles.json",
        lambda root, outside: link(root / "out", outside),
        OUT,
    ),
    "a link inside": (
        "publish: handles.json",
        lambda root, _: link(root / "handles.json", root / "a.md"),
        "symbolic link",
    ),
    "git's folder": ("publish: .git/handles.json", lambda *_: None, "leads into a .git folder"),
    "git's folder in capitals": (
        "publish: .GIT/hooks/pre-commit",
        lambda *_: None,
        "leads into a .git folder",
    ),
    "a FIFO": ("publish: f", lambda root, _: os.mkfifo(root / "f"), "is a FIFO"),
    "state in a parent": ("state: ../state", lambda *_: None, OUT),
    "state in git's folder": ("state: .git", lambda *_: None, "leads into a .git folder"),
    "state by a link": (
        "state: there",
        lambda root, outside: link(root / "there", outside),
        OUT,
    ),
    "the usual state by a link": (
        "publish: handles.json",
        lambda root, outside: link(root / "state", outside),
        OUT,
    ),
}


def contents(*folders: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for f in folders for p in f.rglob("*") if p.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(stage: Stage, outside: Path, attack: str) -> None:
    """A path that leads out, or to a foreign file, is an error with its place; nothing changes."""
    keys, prepare, reason = ATTACKS[attack]
    file(outside / "important")
    stage.write(A, head=f"version: 1\nstack: demo\n{keys}\n", a=LONG)
    prepare(stage.root, outside)
    before = contents(stage.root, outside)

    for arguments in (("validate", "."), ("plan", "."), ("plan", ".", "--emulator")):
        answer = stage.run(*arguments)
        assert (answer.status, reason in answer.err) == (1, True), (arguments, answer)
    for command in ("keepalive", "destroy"):
        stage.run(command, ".", "--auto-approve")
    applied = stage.apply()

    assert (applied.status, reason in applied.err) == (1, True), applied
    after = contents(stage.root, outside)
    assert ({path: after.get(path) for path in before}, stage.live()) == (before, {})
    assert all(Path(path).is_relative_to(stage.root / "state") for path in after.keys() - before)


def test_the_place_of_a_problem(stage: Stage) -> None:
    """The problem stands at the key, with the manifest's other problems."""
    stage.write(f"a: {{{GEMINI}, content: b.md}}", head="version: 1\nstack: demo\nstate: ../s\n")
    answer = stage.run("validate", ".")
    assert "ctxprov.yaml:3:1: state: leads out of" in answer.err
    assert "does not exist" in answer.err


def test_within_the_repository(stage: Stage) -> None:
    """With git a path may lead anywhere inside of the repository, as the examples' do."""
    folder = stage.root / "stacks" / "demo"
    folder.mkdir(parents=True)
    git(stage.root, "init", "-q")
    head = "version: 1\nstack: demo\nstate: ../../state\npublish: ../../handles.json\n"
    stage.write(A, head=head, a=LONG)
    for name in ("ctxprov.yaml", "a.md"):
        (stage.root / name).rename(folder / name)

    assert stage.run("apply", str(folder), "--auto-approve").status == 0
    assert set(stage.state()["caches"]) == set(stage.handles()) == {"a"}


def test_outside_of_the_repository(stage: Stage) -> None:
    """With git, too, no path leads further."""
    git(stage.root, "init", "-q")
    stage.write(A, head="version: 1\nstack: demo\nstate: ../state\n", a=LONG)
    assert stage.run("validate", ".").status == 1


def test_the_command_line_may_name_any_place(stage: Stage, outside: Path) -> None:
    """A folder that the command line names may be anywhere."""
    stage.write(A, a=LONG)
    assert stage.apply("--state", str(outside)).status == 0
    assert (outside / "demo.json").exists()


def test_our_own_document_is_replaced(stage: Stage) -> None:
    """What ctxprov published, or an empty file, is replaced."""
    file(stage.root / "handles.json", "")
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.write(A, a=f"{LONG} more")
    assert stage.apply().status == 0
    assert json.loads((stage.root / "handles.json").read_text())["stack"] == "demo"


def test_a_link_that_appears_in_the_middle(stage: Stage, outside: Path) -> None:
    """What was right when it was planned is looked at again right before it is written."""
    stage.write(A, head="version: 1\nstack: demo\npublish: out/handles.json\n", a=LONG)

    async def around(call, carry_out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if call.operation == "create":
            (stage.root / "out").symlink_to(outside)
        return await carry_out()

    stage.around = around
    answer = stage.apply()

    assert (answer.status, OUT in answer.err) == (1, True), answer
    assert list(outside.iterdir()) == []


def test_a_foreign_file_that_appears_in_the_middle(stage: Stage) -> None:
    """A foreign file that appears after the plan is not replaced either."""
    stage.write(A, a=LONG)

    async def around(call, carry_out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if call.operation == "create":
            file(stage.root / "handles.json")
        return await carry_out()

    stage.around = around
    answer = stage.apply()

    assert (answer.status, "was not written by ctxprov" in answer.err) == (1, True), answer
    assert (stage.root / "handles.json").read_text() == "a person wrote this\n"


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_the_plan_shows_where_it_writes(stage: Stage, form: str) -> None:
    """A plan says where state and handles go, in every format and from git alone."""
    stage.write(A, head="version: 1\nstack: demo\nstate: kept\npublish: out/h.json\n", a=LONG)
    for arguments in ((), ("--emulator",)):
        answer = stage.run("plan", ".", "--out", f"{form}=-", *arguments)
        trial = "kept/emulator/" if arguments else ""
        state = f"{trial or 'kept/'}demo.json"
        handles = f"{trial or 'out/'}h.json"
        if form == "json":
            assert answer.json["writes"] == [state, handles]
        else:
            assert all(path in answer.out for path in (state, handles)), answer


def test_a_credential_is_not_shown(stage: Stage) -> None:
    """An address of the command line is shown without what may be a password."""
    git(stage.root, "init", "-q", "-b", "main")
    stage.write(A, a=LONG)
    git(stage.root, "add", "-A")
    git(stage.root, "commit", "-q", "-m", "one")
    stage.write(A, a=f"{LONG} more")
    address = "https://user:hun@ter2@host/states"
    answer = stage.run("plan", ".", "--base", "main", "--state", address, "--json")
    assert answer.json["writes"] == ["https://host/states/demo.json", "handles.json"]


def test_a_foreign_file_lets_nothing_go_cold(stage: Stage) -> None:
    """A file that a person puts in place of the handles stays, and caches are kept alive."""
    stage.write(A, a=LONG)
    stage.apply()
    file(stage.root / "handles.json")
    stage.ahead = timedelta(hours=10)
    answer = stage.run("keepalive", ".")

    assert (answer.status, "was not written by ctxprov" in answer.err) == (1, True), answer
    assert stage.count("patch") == 1
    assert (stage.root / "handles.json").read_text() == "a person wrote this\n"
