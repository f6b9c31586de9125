"""A state of a newer ctxprov, and one that a shell encoded again, at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md, protect: true}}"
COMMANDS = (
    ("plan", "."),
    ("apply", ".", "--auto-approve"),
    ("keepalive", "."),
    ("drift", "."),
    ("destroy", ".", "--auto-approve"),
    ("show",),
    ("output",),
    ("next", "."),
    ("state", "list"),
    ("state", "rm", "a"),
)


def test_a_newer_state(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command asks for an upgrade, exits 1, and changes neither the state nor a cache."""
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)
    stage.apply()
    newer = stage.state()
    newer["caches"]["a"]["warmed_at"] = "2027-01-01T00:00:00Z"
    stage.state_file.write_text(json.dumps(newer))
    live = stage.live()

    for arguments in COMMANDS:
        result = stage.run(*arguments)
        assert result.status == 1, arguments
        assert "was written by a newer ctxprov: caches.a.warmed_at" in result.err
        assert "--force" not in result.err
        assert "ove it away" not in result.err

    assert stage.state() == newer
    assert stage.live() == live


def test_no_force_over_a_newer_state(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Force puts nothing over a newer state, which may protect what this version cannot see."""
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)
    stage.apply()
    (tmp_path / "old.json").write_bytes(stage.state_file.read_bytes())
    newer = {**stage.state(), "version": 2}
    stage.state_file.write_text(json.dumps(newer))

    result = stage.run("state", "push", str(tmp_path / "old.json"), "--force")

    assert (result.status, stage.state()) == (1, newer)
    assert "Upgrade ctxprov" in result.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_pulled_and_pushed(stage: Stage, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shell redirected in its own encoding is pushed as what it was when it was pulled."""
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)
    stage.apply()
    pulled = stage.run("state", "pull").out
    (stage.root / "s.json").write_text(pulled, encoding=encoding)

    result = stage.run("state", "push", "s.json", "--force")

    assert (result.status, result.out) == (0, "s.json is what is there already.\n")
    stage.state_file.write_bytes((stage.root / "s.json").read_bytes())
    assert "No changes" in stage.run("plan", ".").out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: s["caches"]["a"].update(id="cachedContents/../x"),
            "caches.a.id: this must be",
        ),
        (lambda s: s["caches"].update(b=s["caches"]["a"]), "caches.b.id: "),
        (lambda s: s.update(serial=-1), "serial: this must be a whole number"),
        (lambda s: s.update(stack="other"), "is the state of the stack other, not of demo"),
    ],
)
def test_push_looks(
    stage: Stage, spoil: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose ids, serial or stack are wrong is not pushed, by force either."""
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.state()
    spoilt = stage.state()
    assert callable(spoil)
    spoil(spoilt)
    (stage.root / "s.json").write_text(json.dumps(spoilt))

    result = stage.run("state", "push", "s.json", "--force")

    assert (result.status, stage.state()) == (1, before)
    assert message in result.err
