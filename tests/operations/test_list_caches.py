"""`ctxprov list` shows every live cache, and which of them no state has on record."""

from __future__ import annotations

import json

import pytest

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage, write_stacks

A = f"a: {{{GEMINI}, content: a.md}}"
PROJECTS = "providers: {eu: {type: gemini, key_env: GEMINI_API_KEY_EU}}\n"


def test_list_marks_the_strays_of_all(stage: Stage) -> None:
    """One LIST serves all stacks, and each cache that none has on record is marked."""
    pattern = write_stacks(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")
    stage.run("apply", str(pattern), "--auto-approve", "--replace", "a")
    for path in stage.root.glob("stacks/*/state/*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "retiring": {}}))

    before = stage.count("list")
    result = stage.run("list", str(pattern), "--json").json["caches"]

    assert stage.count("list") - before == 1
    assert [one["stack"] for one in result] == ["one", "one", "two", "two"]
    assert [one["stack"] for one in result if one["stray"]] == ["one", "two"]


def test_list_of_environments(stage: Stage) -> None:
    """Without --env the strays of every environment are marked."""
    head = f"{HEAD}environments: {{dev: , prod: }}\n"
    stage.write(f"a: {{{GEMINI}, content: a.md}}", head=head, a=LONG)
    for name in ("dev", "prod"):
        stage.apply("--env", name)
        stage.apply("--env", name, "--replace", "a")
        path = stage.root / "state" / f"demo.{name}.json"
        fields = json.loads(path.read_text())
        path.write_text(json.dumps({**fields, "retiring": {}}))

    result = stage.run("list", ".", "--json").json["caches"]
    strays = [one["stack"] for one in result if one["stray"]]

    assert len(result) == 4
    assert strays == ["demo.dev", "demo.prod"]


def test_list_of_an_environment_that_one_lacks(stage: Stage) -> None:
    """The other stacks are listed whole, and the status is a failure's."""
    pattern = write_stacks(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")
    path = stage.root / "stacks" / "one" / "ctxprov.yaml"
    path.write_text(f"{path.read_text()}environments: {{dev: }}\n")

    result = stage.run("list", str(pattern), "--env", "prod", "--json")

    assert result.status == 1
    assert "has no 'prod'; there are dev" in result.err
    assert [one["stack"] for one in result.json["caches"]] == ["one", "two"]


def test_one_project_by_two_names(stage: Stage) -> None:
    """What lies in a project that has two names is listed once."""
    head = (
        f"{HEAD}providers: {{same: {{type: gemini}}}}\n"
        "defaults: {gemini: {model: gemini-3.8-flash, ttl: 12h}}\n"
    )
    stage.write("a: {provider: [gemini, same], content: a.md}", head=head, a=LONG)
    stage.apply()

    result = stage.run("list", ".", "--json").json["caches"]

    assert sorted(one["name"] for one in result) == ["a-gemini", "a-same"]


def test_list_looks_at_a_project_that_no_entry_uses(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """list shows what is left in a project whose name no entry uses any more."""
    monkeypatch.setenv("GEMINI_API_KEY_EU", "AIza-made-up-key-of-europe")
    head = f"version: 1\nstack: demo\n{PROJECTS}"
    stage.write(A.replace("gemini,", "eu,", 1), head=head, a=LONG)
    stage.apply()
    stage.write("n: {provider: claude, model: claude-sonnet-5-5, content: a.md}", head=head)
    monkeypatch.delenv("GEMINI_API_KEY")

    assert [one["provider"] for one in stage.run("list", ".", "--json").json["caches"]] == ["eu"]
