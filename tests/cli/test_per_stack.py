"""Commands that only look, over several stacks at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import lock_owner_bytes
from tests.builders import NOW
from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.cli.test_locks import holding
from tests.storage.memory import MemoryFiles

MANIFEST = """\
version: 1
stack: {name}
caches:
  a: {{{gemini}, content: a.md}}
"""


def write(stage: Stage, *names: str) -> Path:
    """Stacks in folders of their own; return a pattern that matches all."""
    for name in names:
        folder = stage.root / "stacks" / name
        folder.mkdir(parents=True)
        (folder / "ctxprov.yaml").write_text(MANIFEST.format(name=name, gemini=GEMINI))
        (folder / "a.md").write_text(LONG)
    return stage.root / "stacks" / "*"


def test_next(stage: Stage) -> None:
    """One moment for all stacks, and one for each."""
    pattern = write(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")

    result = stage.run("next", str(pattern), "--json").json
    text = stage.run("next", str(pattern)).out

    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert result["next"] == min(stack["next"] for stack in result["stacks"])
    assert result["covered_until"] == min(stack["covered_until"] for stack in result["stacks"])
    assert text.startswith("one: Run at ")


def test_a_failing_stack_stops_no_other(stage: Stage) -> None:
    """The command reports on the other stacks and ends with the status of a failure."""
    pattern = write(stage, "one", "two")
    (stage.root / "stacks" / "one" / "ctxprov.yaml").write_text("version: 1\n")

    for command in ("next", "forecast", "validate"):
        result = stage.run(command, str(pattern))
        assert result.status == 1
        assert "one/ctxprov.yaml:1:1" in result.err
        assert result.out


def test_forecast(stage: Stage) -> None:
    """A forecast for each stack, in one document."""
    pattern = write(stage, "one", "two")

    result = stage.run("forecast", str(pattern), "--for", "1d", "--json").json

    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"][0]["refreshes"] for stack in result["stacks"])


def test_list_marks_the_strays_of_all(stage: Stage) -> None:
    """One LIST serves all stacks, and each cache that none has on record is marked."""
    pattern = write(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")
    stage.run("apply", str(pattern), "--auto-approve", "--replace", "a")
    for path in stage.root.glob("stacks/*/state/*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "retiring": {}}))

    before = stage.count("list")
    result = stage.run("list", str(pattern), "--json").json["caches"]

    assert stage.count("list") - before == 1
    assert [one["stack"] for one in result] == ["one", "one", "two", "two"]
    assert [one["stack"] for one in result if one["stray"]] == ["one", "two"]


def test_states(stage: Stage, tmp_path: Path) -> None:
    """What is remembered of all stacks, and the move of all of it to one place."""
    pattern = str(write(stage, "one", "two"))
    stage.run("apply", pattern, "--auto-approve")
    place = str(tmp_path / "shared")

    listed = stage.run("state", "list", "-C", pattern, "--json").json["stacks"]
    assert [(one["stack"], one["caches"]) for one in listed] == [("one", ["a"]), ("two", ["a"])]
    assert stage.run("state", "list", "-C", pattern).out.count("1 on record") == 2
    assert stage.run("state", "migrate", place, "-C", pattern).status == 0
    result = stage.run("state", "history", "-C", pattern, "--state", place, "--json").json["stacks"]
    assert [run["operation"] for one in result for run in one["runs"]] == [
        "apply",
        "state migrate",
    ] * 2
    assert stage.run("state", "history", "-C", pattern).out.count("1 remembered") == 2


def test_locks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds each state, and an end to all that one job holds; an ID belongs to one stack."""
    pattern = str(write(stage, "one", "two", "three"))
    files = MemoryFiles()
    backend = LeaseBackend(files, now=lambda: NOW)
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    jobs = {name: {"CI_JOB_URL": f"https://ci.example/{name}"} for name in ("one", "two")}
    held = {name: holding("r1", environ=job) for name, job in jobs.items()}
    monkeypatch.setenv("CI_JOB_URL", jobs["one"]["CI_JOB_URL"])
    for name, who in held.items():
        files.write(f"{name}.lock.json", lock_owner_bytes(who), expected=None)

    result = stage.run("lock", "status", "-C", pattern, "--json").json["stacks"]
    ids = {one["stack"]: one["holder"] and one["holder"]["id"] for one in result}
    assert ids == {"one": held["one"].id, "two": held["two"].id, "three": None}
    assert stage.run("unlock", held["two"].id, "-C", pattern).status == 64
    assert stage.run("unlock", "--mine", "-C", pattern).out.count("is ended") == 2  # and a summary
    assert "No run holds" in stage.run("lock", "status", "-C", str(stage.root / "stacks/one")).out
    assert backend.lock_owner("two.json")


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
    pattern = write(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")
    path = stage.root / "stacks" / "one" / "ctxprov.yaml"
    path.write_text(f"{path.read_text()}environments: {{dev: }}\n")

    result = stage.run("list", str(pattern), "--env", "prod", "--json")

    assert result.status == 1
    assert "has no 'prod'; there are dev" in result.err
    assert [one["stack"] for one in result.json["caches"]] == ["one", "two"]


def test_list_when_a_project_cannot_be_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are listed, and the status is a failure's."""
    monkeypatch.delenv("GEMINI_API_KEY_B", raising=False)
    head = (
        f"{HEAD}providers: {{b: {{type: gemini, key_env: GEMINI_API_KEY_B}}}}\n"
        "defaults: {gemini: {model: gemini-3.8-flash, ttl: 12h}}\n"
    )
    stage.write("a: {provider: gemini, content: a.md}", head=head, a=LONG)
    stage.apply()
    stage.write("a: {provider: [gemini, b], content: a.md}", head=head)

    result = stage.run("list", ".", "--json")

    assert result.status == 1
    assert "set GEMINI_API_KEY_B" in result.err
    assert [one["name"] for one in result.json["caches"]] == ["a"]


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


def test_a_stray_by_two_names(stage: Stage) -> None:
    """A stray of a project with two names is planned, counted and deleted once."""
    head = (
        f"{HEAD}providers: {{same: {{type: gemini}}}}\n"
        "defaults: {gemini: {model: gemini-3.8-flash, ttl: 12h}}\n"
    )
    stage.write("a: {provider: [gemini, same], content: a.md}", head=head, a=LONG)
    stage.apply()
    stage.apply("--replace", "a-same")
    stage.state_file.write_text(json.dumps({**stage.state(), "retiring": {}}))

    actions = [change["action"] for change in stage.plan("--prune")["changes"]]

    assert actions.count("delete") == 1
    assert stage.apply("--prune").status == 0
    assert sorted(one["name"] for one in stage.live().values()) == ["a-gemini", "a-same"]


def test_show_and_output(stage: Stage) -> None:
    """Several stacks are shown one after the other, and printed as one document."""
    pattern = write(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")

    shown = stage.run("show", "-C", str(pattern))
    result = stage.run("output", "-C", str(pattern)).json

    assert shown.status == 0
    assert shown.out.count("1 on record") == 2
    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"]["a"]["handle"]["cache_name"] for stack in result["stacks"])


def test_a_name_is_of_one_stack(stage: Stage) -> None:
    """To ask for a name in several stacks is wrong usage."""
    pattern = write(stage, "one", "two")

    assert stage.run("show", "a", "-C", str(pattern)).status == 64
    assert stage.run("output", "a", "-C", str(pattern)).status == 64


def test_explain(stage: Stage) -> None:
    """One name in each stack, by one LIST; a stack that has it not stops no other."""
    pattern = write(stage, "one", "two")

    result = stage.run("explain", "a", "-C", str(pattern), "--json")
    assert [one["stack"] for one in result.json["stacks"]] == ["one", "two"]
    assert [len(one["explanations"]) for one in result.json["stacks"]] == [1, 1]
    assert stage.count("list") == 1

    manifest = stage.root / "stacks" / "one" / "ctxprov.yaml"
    manifest.write_text(manifest.read_text().replace("  a: {", "  b: {"))
    text = stage.run("explain", "a", "-C", str(pattern))
    assert text.status == 64
    assert "nothing in one is called 'a'" in text.err
    assert text.out.count("a: create") == 1
