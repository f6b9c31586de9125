"""`ctxprov list` shows what could be listed, and fails where a project could not be asked."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import HEAD, LONG, Stage


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
