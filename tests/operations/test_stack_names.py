"""Stacks by their name: no manifest declares them any more, and each is shown and ended."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from provisioner import runtime
from tests.cli.cli_harness import GEMINI, LONG, Stage

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


def test_what_is_protected_is_kept_warm(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A protected cache whose entry is gone is refused and refreshed, by every apply.

    The plan of that is a whole document, and its money is that of one cache.
    """
    now = replace(runtime.SYSTEM, now=lambda: datetime.now(UTC) + stage.ahead)
    monkeypatch.setattr(runtime, "SYSTEM", now)
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
