"""`output` in every format."""

from __future__ import annotations

import json
import os
import subprocess

import httpx
import pytest

from tests.cli.cli_harness import GEMINI, KEY, LONG, SECRET, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"
OPEN = "o: {provider: openai, model: gpt-6.1-terra, content: o.md}"


@pytest.fixture
def applied(stage: Stage) -> Stage:
    stage.write(A, NOTE, OPEN, a=LONG, n=LONG, o=LONG)
    assert stage.apply().status == 0
    return stage


def output(stage: Stage, *arguments: str) -> str:
    result = stage.run("output", *arguments, "-C", ".")
    assert result.status == 0, result.err
    return result.out


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


def test_variables(applied: Stage) -> None:
    """A shell that reads the variables has them."""
    for name in ("a", "n", "o"):
        script = output(applied, name, "--format", "env") + f'echo "$CTXPROV_{name.upper()}_MODEL"'
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() in {"gemini-3.8-flash", "claude-sonnet-5-5", "gpt-6.1-terra"}


def test_one_and_all(applied: Stage) -> None:
    """Without a name every handle is printed, with one that handle alone."""
    everything = json.loads(output(applied))["caches"]

    assert set(everything) == {"a", "n", "o"}
    assert json.loads(output(applied, "a")) == everything["a"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["nothing"], 1),
        (["--format", "env"], 64),
        (["n", "--api", "chat"], 64),
        (["n", "--format", "request", "--api", "chat"], 64),
    ],
)
def test_what_there_is_not(applied: Stage, arguments: list[str], status: int) -> None:
    """A name, a format or an API that does not exist ends output with its status."""
    assert applied.run("output", *arguments, "-C", ".").status == status
