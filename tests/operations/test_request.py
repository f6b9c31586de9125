"""The request that an entry stands for."""

from __future__ import annotations

import json
import os

import httpx
import pytest

from tests.cli.cli_harness import KEY, SECRET, Stage
from tests.cli.test_output import output


def test_a_request_that_works(applied: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that is printed is one that the server answers."""
    document = json.loads(output(applied, "a", "--format", "request"))
    base = os.environ["GOOGLE_GEMINI_BASE_URL"]
    url = f"{base}/v1beta/models/{document['model']}:generateContent"
    answer = httpx.post(url, json=document["request"], headers={"x-goog-api-key": KEY})

    assert answer.status_code == 200
    assert answer.json()["usageMetadata"]["cachedContentTokenCount"] > 4000
    monkeypatch.delenv("GEMINI_API_KEY")
    assert output(applied, "a", "--format", "request")


@pytest.mark.parametrize("name", ["n", "o"])
def test_content_or_none(applied: Stage, name: str) -> None:
    """A request holds the content, or its path and digest in its place."""
    whole = output(applied, name, "--format", "request")
    bare = output(applied, name, "--format", "request", "--no-content")

    assert SECRET in whole
    assert SECRET not in bare
    assert f"{name}.md sha256:" in bare


def test_content_that_changed(applied: Stage) -> None:
    """A request is not made of content that was never applied."""
    (applied.root / "n.md").write_text("another")
    result = applied.run("output", "n", "--format", "request", "-C", ".")

    assert result.status == 1
    assert "apply" in result.err
