"""`ctxprov show` shows what is on record."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, LONG, Stage, write_stacks


def test_show_and_output(stage: Stage) -> None:
    """Several stacks are shown one after the other, and printed as one document."""
    pattern = write_stacks(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")

    shown = stage.run("show", "-C", str(pattern))
    result = stage.run("output", "-C", str(pattern)).json

    assert shown.status == 0
    assert shown.out.count("1 on record") == 2
    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"]["a"]["handle"]["cache_name"] for stack in result["stacks"])


def test_one_record(stage: Stage) -> None:
    """One name is shown in full, by the record alone; --live asks the provider."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    stage.apply()
    id_ = stage.state()["caches"]["a"]["id"]
    before = stage.count("list")

    assert id_ in stage.run("show", "a", "-C", ".").out
    assert stage.count("list") == before
    stage.delete(id_)
    assert stage.run("show", "a", "-C", ".", "--live").status == 0
    assert stage.count("list") == before + 1


def test_a_name_that_is_not_on_record(stage: Stage) -> None:
    """A name without a record is a failure that names the command which tells why."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    result = stage.run("show", "a", "-C", ".")

    assert result.status == 1
    assert "'a' is not on record in demo; ctxprov plan says why" in result.err
