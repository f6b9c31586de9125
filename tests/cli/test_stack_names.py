"""Stacks that no manifest names any more: shown, and ended by name; gc for whole projects."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.cache import GeminiHandle
from provisioner.cli import clock
from provisioner.cli.collect_garbage import delete_each
from provisioner.errors import StateTaken
from tests.builders import desired, live
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.storage.terraform_server import terraform_server

A = f"a: {{{GEMINI}, content: a.md}}"
PROTECTED = f"b: {{{GEMINI}, protect: true, content: a.md}}"
ENVIRONMENTS = "version: 1\nstack: demo\nenvironments: {blue: {}, green: {}}\n"


def test_an_environment_that_is_gone(stage: Stage) -> None:
    """list flags it and prints the command that ends it, which does."""
    stage.write(A, a=LONG, head=ENVIRONMENTS)
    for environment in ("blue", "green"):
        assert stage.apply("--env", environment).status == 0
    stage.write(A, a=LONG, head=ENVIRONMENTS.replace("blue: {}, ", ""))

    listed = stage.run("list", ".")
    assert "demo.blue (1 cache" in listed.out
    assert listed.out.count("declared no longer") == 1
    marks = {
        one["stack"]: one["undeclared"] for one in stage.run("list", ".", "--json").json["caches"]
    }
    assert marks == {"demo.blue": True, "demo.green": False}
    command = shlex.split(listed.err.strip().rpartition(": ")[2])
    assert command[:4] == ["ctxprov", "destroy", "--stack", "demo.blue"]

    refused = stage.run(*command[1:])
    assert refused.status == 3
    assert "--auto-approve" in refused.err
    ended = stage.run(*command[1:], "--auto-approve")
    assert ended.status == 0
    assert [one["display_name"][:18] for one in stage.live().values()] == ["ctxprov:demo.green"]


def test_a_stack_is_destroyed_without_its_manifest(stage: Stage) -> None:
    """Protected caches stay, strays go with --prune, and the handles' file is named."""
    stage.write(A, PROTECTED, a=LONG)
    stage.apply()
    (stage.root / "ctxprov.yaml").unlink()
    arguments = [
        "destroy",
        "--stack",
        "demo",
        "--state",
        str(stage.root / "state"),
        "--auto-approve",
    ]

    result = stage.run(*arguments)

    assert result.status == 3
    assert "The handles that demo published" in result.err
    assert [one["name"] for one in stage.live().values()] == ["b"]
    stage.state_file.unlink()
    assert stage.run(*arguments, "--prune").status == 0
    assert stage.live() == {}


def test_a_stack_that_was_never_there(stage: Stage) -> None:
    """destroy says that nothing is on record under a name that was mistyped, and of no handles."""
    backend = str(stage.root / "state")

    for _ in range(2):
        result = stage.run("destroy", "--stack", "demoo", "--state", backend, "--auto-approve")
        assert result.status == 0
        assert re.search(r"Nothing is on record in \S*demoo\.json: check the name", result.err)
        assert "handles" not in result.err


def test_named_projects_need_their_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing says which variable has a project's key, the refusal says what to give."""
    monkeypatch.setenv("GEMINI_API_KEY_EU", "AIza-made-up-key-of-europe")
    head = "version: 1\nstack: demo\nproviders: {eu: {type: gemini, key_env: GEMINI_API_KEY_EU}}\n"
    stage.write(A.replace("gemini,", "eu,", 1), head=head, a=LONG)
    stage.apply()
    raw = stage.state()
    raw.pop("stack_settings", None)
    stage.state_file.write_text(json.dumps(raw))
    arguments = [
        "destroy",
        "--stack",
        "demo",
        "--state",
        str(stage.root / "state"),
        "--auto-approve",
    ]

    refused = stage.run(*arguments)
    assert refused.status == 3
    assert "--key-env eu=VARIABLE" in refused.err
    assert stage.run(*arguments, "--key-env", "eu=GEMINI_API_KEY_EU").status == 0
    assert stage.state()["caches"] == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stack", "demo"],
        ["--stack", "../demo", "--state", "state"],
        ["--stack", "demo", "--state", "state", "--env", "blue"],
        [".", "--stack", "demo", "--state", "state"],
        ["--stack", "demo", "--state", "state", "--key-env", "eu"],
    ],
)
def test_wrong_usage(stage: Stage, arguments: list[str]) -> None:
    """A name goes with an address, and with nothing that names a stack besides."""
    assert stage.run("destroy", *arguments).status == 64


@pytest.fixture
def three(stage: Stage) -> str:
    """Three stacks in one project, of which `two` has lost its state; the others' address."""
    for stack in ("one", "two", "three"):
        folder = stage.root / stack
        folder.mkdir()
        (folder / "a.md").write_text(LONG)
        (folder / "ctxprov.yaml").write_text(
            f"version: 1\nstack: {stack}\nstate: ../state\ncaches:\n  {A}\n"
        )
    arguments = [str(stage.root / stack) for stack in ("one", "two", "three")]
    assert (
        stage.run(
            "apply", *arguments, "--auto-approve", "--state", str(stage.root / "state")
        ).status
        == 0
    )
    (stage.root / "state" / "two.json").unlink()
    return str(stage.root / "state")


def stacks_alive(stage: Stage) -> list[str]:
    return sorted(one["stack"] for one in stage.live().values())


def test_what_no_state_knows(stage: Stage, three: str) -> None:
    """gc lists it with age and rent, and deletes it once it is named and approved."""
    result = stage.run("gc", "--state", three)
    assert result.status == 0
    assert "two (1 cache" in result.out
    assert "one (" not in result.out
    document = stage.run("gc", "--state", three, "--json").json
    (cache,) = document["caches"]
    assert (cache["stack"], cache["id"] in result.out) == ("two", True)
    assert document["unreadable"] == {}

    assert stage.run("gc", "--state", three, "--stack", "two").status == 3
    assert stage.run("gc", "--state", three, "--stack", "one", "--auto-approve").status == 3
    assert stage.run("gc", "--state", three, "--stack", "absent").status == 64
    assert stacks_alive(stage) == ["one", "three", "two"]
    done = stage.run("gc", "--state", three, cache["id"], "--auto-approve", "--json")
    assert (done.status, done.json["deleted"]) == (0, [cache["id"]])
    assert stacks_alive(stage) == ["one", "three"]


def test_a_state_that_cannot_be_read(stage: Stage, three: str) -> None:
    """An unreadable state is not absent: its caches stay, and the exit status is 1."""
    (stage.root / "state" / "three.json").write_text("{")

    result = stage.run("gc", "--state", three, "--json")

    assert result.status == 1
    assert [one["stack"] for one in result.json["caches"]] == ["two"]
    assert list(result.json["unreadable"]) == ["three"]
    assert stage.run("gc", "--state", three, "--stack", "three", "--auto-approve").status == 1
    assert stage.count("delete") == 0


def test_every_address_counts(stage: Stage, three: str) -> None:
    """A stack has a state if one of the addresses has it; without an address nothing is judged."""
    elsewhere = str(stage.root / "elsewhere")
    both = stage.run("gc", "--state", elsewhere, "--state", three, "--json").json
    assert [one["stack"] for one in both["caches"]] == ["two"]
    assert len(stage.run("gc", "--state", elsewhere, "--json").json["caches"]) == 3
    assert stage.run("gc").status == 64


def test_what_was_renamed_has_an_owner(stage: Stage, three: str) -> None:
    """The label of an old name is no reason: the new name's state has the cache on record."""
    assert stage.run("state", "rename-stack", "one", "uno", "--state", three).status == 0

    document = stage.run("gc", "--state", three, "--json").json

    assert [one["stack"] for one in document["caches"]] == ["two"]


@pytest.mark.parametrize("status", [404, 403])
def test_absent_by_its_lock(stage: Stage, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Behind HTTP the lock shows that a state is absent; a refusal shows nothing."""
    stage.write(A, a=LONG)
    stage.apply()
    with terraform_server() as states:
        monkeypatch.setenv("CTXPROV_STATE", f"{states.url}/states")
        monkeypatch.setenv("TF_HTTP_RETRY_MAX", "0")
        if status == 403:
            states.before = lambda _: (403, b"", {})
        result = stage.run("gc", "--json")
        assert result.status == (1 if status == 403 else 0)
        assert len(result.json["caches"]) == (0 if status == 403 else 1)
        assert states.locks == {}
        if status == 404:
            assert stage.run("gc", "--stack", "demo", "--auto-approve").status == 0
            assert stage.live() == {}


def test_what_is_protected_is_kept_warm(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A protected cache whose entry is gone is refused and refreshed, by every apply.

    The plan of that is a whole document, and its money is that of one cache.
    """
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + stage.ahead)
    stage.write(A, PROTECTED, a=LONG)
    stage.apply()
    rent = stage.plan()["totals"]["rent_30_days"]
    stage.write(A, a=LONG)
    stage.ahead = timedelta(hours=9)

    assert stage.run("plan", ".", "--out", f"json={stage.root / 'plan.json'}").status == 3
    assert stage.run("render", str(stage.root / "plan.json")).status == 0
    plan = stage.plan()
    named = [(c["name"], c["action"], c["reason"]) for c in plan["changes"]]
    assert sorted(named) == [
        ("a", "refresh", "expiring"),
        ("b", "blocked", "undeclared"),
        ("b", "refresh", "expiring"),
    ]
    assert plan["totals"]["rent_30_days"] == rent
    assert [want["name"] for want in plan["desired"]] == ["a"]
    assert stage.apply().status == 3
    stage.ahead = timedelta(hours=18)
    assert len(stage.live()) == 2


def test_gc_that_was_suspended() -> None:
    """gc deletes nothing more once the lock that keeps runs away from a state is lost."""
    caches = [live(desired(name), f"cachedContents/{name}") for name in "abc"]
    deleted: list[str] = []
    held = iter([True, False, True])

    async def delete(handle: GeminiHandle) -> None:
        deleted.append(handle.cache_name)

    async def renew() -> bool:
        return next(held)

    with pytest.raises(StateTaken, match="Deleted 1 of 3 caches"):
        asyncio.run(delete_each(caches, delete, renew))

    assert deleted == ["cachedContents/a"]
