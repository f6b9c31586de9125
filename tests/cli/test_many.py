"""Commands that only look, over several stacks at once."""

from __future__ import annotations

from pathlib import Path

from tests.cli.stage import GEMINI, LONG, Stage

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

    told = stage.run("next", str(pattern), "--json").json
    text = stage.run("next", str(pattern)).out

    assert [stack["stack"] for stack in told["stacks"]] == ["one", "two"]
    assert told["next"] == min(stack["next"] for stack in told["stacks"])
    assert told["covered_until"] == min(stack["covered_until"] for stack in told["stacks"])
    assert text.startswith("one: Run at ")


def test_a_failing_stack_stops_no_other(stage: Stage) -> None:
    """What can be told of the others is told, and the status is a failure's."""
    pattern = write(stage, "one", "two")
    (stage.root / "stacks" / "one" / "ctxprov.yaml").write_text("version: 1\n")

    for command in ("next", "forecast", "validate"):
        told = stage.run(command, str(pattern))
        assert told.status == 1
        assert "one/ctxprov.yaml:1:1" in told.err
        assert told.out


def test_forecast(stage: Stage) -> None:
    """A forecast for each stack, in one document."""
    pattern = write(stage, "one", "two")

    told = stage.run("forecast", str(pattern), "--for", "1d", "--json").json

    assert [stack["stack"] for stack in told["stacks"]] == ["one", "two"]
    assert all(stack["caches"][0]["refreshes"] for stack in told["stacks"])
