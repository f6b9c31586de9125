"""`ctxprov forecast` foretells what a schedule does with each stack."""

from __future__ import annotations

from tests.cli.cli_harness import LONG, Stage, write_stacks


def test_forecast(stage: Stage) -> None:
    """A forecast for each stack, in one document."""
    pattern = write_stacks(stage, "one", "two")

    result = stage.run("forecast", str(pattern), "--for", "1d", "--json").json

    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"][0]["refreshes"] for stack in result["stacks"])


def test_too_rare_a_schedule(stage: Stage) -> None:
    """A schedule that cannot keep a cache warm is named with that cache, and is no failure."""
    stage.write("a: {provider: gemini, model: gemini-3.8-flash, ttl: 45m, content: a.md}", a=LONG)

    rare = stage.run("forecast", ".", "--for", "1d", "--every", "1h")
    frequent = stage.run("forecast", ".", "--for", "1d", "--every", "5m")

    assert (rare.status, frequent.status) == (0, 0)
    assert "keeps all caches warm" in frequent.out
    assert "keeps all caches warm" not in rare.out
    assert stage.count("list", "create") == 0


def test_only_annotations(stage: Stage) -> None:
    """A stack without caches needs no schedule."""
    stage.write("n: {provider: claude, model: claude-sonnet-5-5, content: n.md}", n=LONG)
    result = stage.run("forecast", ".")

    assert (result.status, result.err) == (0, "")
