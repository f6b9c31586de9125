"""Commands that only look, over several stacks at once."""

from __future__ import annotations

import json

import pytest

from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import lock_owner_bytes
from tests.builders import NOW
from tests.cli.cli_harness import HEAD, LONG, Stage, write_stacks
from tests.cli.test_locks import holding
from tests.storage.memory import MemoryFiles


def test_a_failing_stack_stops_no_other(stage: Stage) -> None:
    """The command reports on the other stacks and ends with the status of a failure."""
    pattern = write_stacks(stage, "one", "two")
    (stage.root / "stacks" / "one" / "ctxprov.yaml").write_text("version: 1\n")

    for command in ("next", "forecast", "validate"):
        result = stage.run(command, str(pattern))
        assert result.status == 1
        assert "one/ctxprov.yaml:1:1" in result.err
        assert result.out


def test_locks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds each state, and an end to all that one job holds; an ID belongs to one stack."""
    pattern = str(write_stacks(stage, "one", "two", "three"))
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


def test_a_name_is_of_one_stack(stage: Stage) -> None:
    """To ask for a name in several stacks is wrong usage."""
    pattern = write_stacks(stage, "one", "two")

    assert stage.run("show", "a", "-C", str(pattern)).status == 64
    assert stage.run("output", "a", "-C", str(pattern)).status == 64


def test_explain(stage: Stage) -> None:
    """One name in each stack, by one LIST; a stack that has it not stops no other."""
    pattern = write_stacks(stage, "one", "two")

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
