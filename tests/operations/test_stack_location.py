"""Where the state is: said on the command line, in the environment, or in the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def test_which_state_wins(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over the environment, that over the manifest, that over `state`."""
    work = tmp_path / "elsewhere"
    work.mkdir()
    monkeypatch.chdir(work)
    stage.write(A, head=HEAD + "state: said-in-manifest\n", a=LONG)

    assert stage.apply().status == 0
    assert (stage.root / "said-in-manifest" / "demo.json").exists()
    monkeypatch.setenv("CTXPROV_STATE", "said-in-environment")
    assert stage.apply().status == 0
    assert (work / "said-in-environment" / "demo.json").exists()
    assert stage.apply("--state", str(work / "said-here")).status == 0
    assert (work / "said-here" / "demo.json").exists()
    assert not stage.state_file.exists()
    assert stage.count("create") == 1


def test_every_reader_takes_it(stage: Stage, tmp_path: Path) -> None:
    """Each command that reads the state reads it where it is said to be."""
    stage.write(A, a=LONG)
    address = str(tmp_path / "far")
    stage.apply("--state", address)

    assert stage.changes("--state", address)["a"] == ("keep", "current")
    assert stage.run("output", "a", "-C", ".", "--state", address).status == 0
    assert stage.run("show", "a", "-C", ".", "--state", address).status == 0
    assert stage.run("next", ".", "--json", "--state", address).json["next"]
    assert stage.run("drift", ".", "--state", address).status == 0
    assert stage.run("keepalive", ".", "--state", address).status == 0
    listed = stage.run("list", ".", "--json", "--state", address).json["caches"]
    assert [one["stray"] for one in listed] == [False]
    assert stage.run("destroy", ".", "--auto-approve", "--state", address).status == 0
    assert stage.live() == {}


def test_a_trial_stays_here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --emulator a remote state and remote handles are left alone."""
    monkeypatch.setenv("CTXPROV_STATE", "s3://bucket/prefix")
    head = HEAD.replace("handles.json", "s3://bucket/prefix/handles.json")
    stage.write(A, head=head, a=LONG)

    assert stage.apply("--emulator").status == 0
    folder = stage.root / "state" / "emulator"
    assert {"demo.json", "handles.json"} < {file.name for file in folder.iterdir()}


def test_an_address_that_makes_no_sense(stage: Stage) -> None:
    """The error for an unknown kind of backend lists the kinds that exist."""
    stage.write(A, a=LONG)
    result = stage.apply("--state", "ftp://host/state")

    assert result.status == 1
    assert "git+branch:NAME" in result.err
