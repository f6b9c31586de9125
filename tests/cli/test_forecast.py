"""`ctxprov forecast` foretells what a schedule does with each stack."""

from __future__ import annotations

from tests.cli.cli_harness import Stage, write_stacks


def test_forecast(stage: Stage) -> None:
    """A forecast for each stack, in one document."""
    pattern = write_stacks(stage, "one", "two")

    result = stage.run("forecast", str(pattern), "--for", "1d", "--json").json

    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"][0]["refreshes"] for stack in result["stacks"])
