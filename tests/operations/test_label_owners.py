"""Whose a label is: of a stack that has a state at one of the given places."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.storage.terraform_server import terraform_server

A = f"a: {{{GEMINI}, content: a.md}}"


def test_a_state_that_cannot_be_read(stage: Stage, address: str) -> None:
    """An unreadable state is not absent: its caches stay, and the exit status is 1."""
    (stage.root / "state" / "three.json").write_text("{")

    result = stage.run("gc", "--state", address, "--json")

    assert result.status == 1
    assert [one["stack"] for one in result.json["caches"]] == ["two"]
    assert list(result.json["unreadable"]) == ["three"]
    assert stage.run("gc", "--state", address, "--stack", "three", "--auto-approve").status == 1
    assert stage.count("delete") == 0


def test_every_address_counts(stage: Stage, address: str) -> None:
    """A stack has a state if one of the addresses has it; without an address nothing is judged."""
    elsewhere = str(stage.root / "elsewhere")
    both = stage.run("gc", "--state", elsewhere, "--state", address, "--json").json
    assert [one["stack"] for one in both["caches"]] == ["two"]
    assert len(stage.run("gc", "--state", elsewhere, "--json").json["caches"]) == 3
    assert stage.run("gc").status == 64


def test_what_was_renamed_has_an_owner(stage: Stage, address: str) -> None:
    """The label of an old name is no reason: the new name's state has the cache on record."""
    assert stage.run("state", "rename-stack", "one", "uno", "--state", address).status == 0

    document = stage.run("gc", "--state", address, "--json").json

    assert [one["stack"] for one in document["caches"]] == ["two"]


@pytest.mark.parametrize("status", [404, 403])
def test_absent_by_its_lock(stage: Stage, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Behind HTTP the lock shows that a state is absent; a refusal shows nothing."""
    stage.write(A, a=LONG)
    stage.apply()
    with terraform_server() as states:
        monkeypatch.setenv("CTXPROV_STATE", f"{states.url}/states")
        monkeypatch.setenv("TF_HTTP_RETRY_MAX", "0")
        if status == 403:
            states.before = lambda _: (403, b"", {})
        result = stage.run("gc", "--json")
        assert result.status == (1 if status == 403 else 0)
        assert len(result.json["caches"]) == (0 if status == 403 else 1)
        assert states.locks == {}
        if status == 404:
            assert stage.run("gc", "--stack", "demo", "--auto-approve").status == 0
            assert stage.live() == {}
