"""Commands that only look, over several stacks at once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage, write_stacks

A = f"a: {{{GEMINI}, content: a.md}}"


def test_a_failing_stack_stops_no_other(stage: Stage) -> None:
    """The command reports on the other stacks and ends with the status of a failure."""
    pattern = write_stacks(stage, "one", "two")
    (stage.root / "stacks" / "one" / "ctxprov.yaml").write_text("version: 1\n")

    for command in ("next", "forecast", "validate"):
        result = stage.run(command, str(pattern))
        assert result.status == 1
        assert "one/ctxprov.yaml:1:1" in result.err
        assert result.out


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


def test_one_stack_fails_alone(stage: Stage, tmp_path: Path) -> None:
    """A failing stack stops no other, and the table says how each ended."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(LONG)
        text = HEAD.replace("demo", name) + f"caches:\n  {A}\n"
        (tmp_path / name / "ctxprov.yaml").write_text(text)
    (tmp_path / "one" / "a.md").unlink()

    before = stage.count("list")
    result = stage.run("plan", str(tmp_path / "one"), str(tmp_path / "two"))

    assert result.status == 1
    assert "a.md" in result.err
    assert "1 to create" in result.out.splitlines()[-1]
    assert stage.count("list") - before == 1
