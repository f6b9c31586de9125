"""`ctxprov state` edits a state by hand, without asking a provider."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def state(stage: Stage, verb: str, *arguments: str) -> tuple[int, str]:
    result = stage.run("state", verb, *arguments, "-C", ".")
    return result.status, result.out + result.err


def test_looking(stage: Stage) -> None:
    """list, show, pull and history tell what is there, and write nothing."""
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.state_file.read_bytes()

    assert "cachedContents/" in state(stage, "list")[1]
    assert json.loads(state(stage, "show", "a")[1])["id"] == stage.state()["caches"]["a"]["id"]
    assert state(stage, "pull")[1].encode() == before
    assert "1 done" in state(stage, "history")[1]
    (run,) = json.loads(state(stage, "history", "--json")[1])["runs"]
    assert (run["operation"], run["run"]) == ("apply", stage.state()["run"])
    assert run["fingerprint"]
    assert state(stage, "show", "nobody")[0] == 1
    assert stage.state_file.read_bytes() == before


def test_names_and_serials_that_are_not_there(stage: Stage) -> None:
    """A mistyped name or serial gets the nearest one, and an empty state says so."""
    stage.write(
        "product-manual: {provider: gemini, model: gemini-3.8-flash, ttl: 1h, content: a.md}",
        a=LONG,
    )
    assert "Nothing is on record" in state(stage, "list")[1]
    assert "No run is remembered" in state(stage, "history")[1]
    assert "nothing was applied yet" in state(stage, "pull")[1]
    stage.apply()

    for arguments in (
        ("show", "product-manul"),
        ("rm", "product-manul"),
        ("mv", "product-manul", "b"),
    ):
        status, text = state(stage, *arguments)
        assert status == 1
        assert "did you mean product-manual?" in text
    assert "state list shows" in state(stage, "rm", "else")[1]
    assert state(stage, "pull", "--serial", "1")[1].encode() == stage.state_file.read_bytes()
    assert (
        "serial 9 of demo is not kept; of the earlier ones: none"
        in state(stage, "pull", "--serial", "9")[1]
    )
    state(stage, "rm", "product-manual")
    assert "of the earlier ones: 1." in state(stage, "pull", "--serial", "9")[1]


def test_a_store_without_its_package(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend whose extra is not installed says what to install."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    stage.write(A, a=LONG)
    result = stage.apply("--state", "s3://bucket/prefix")

    assert result.status == 1
    assert "pip install 'ctxprov[stores]'" in result.err
    assert stage.live() == {}
