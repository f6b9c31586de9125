"""A state edited by hand: renamed, forgotten or replaced, or left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from provisioner.model.facts import State
from provisioner.state.state_file import state_bytes
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import lock_owner_bytes, lock_owner_here
from tests.builders import NOW
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_state import state
from tests.storage.clock import AT_NOW, with_clock
from tests.storage.memory import MemoryFiles

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: a.md}}"


def test_mv(stage: Stage) -> None:
    """A renamed record goes on under its new name, and nothing is created."""
    stage.write(A, a=LONG)
    stage.apply()
    id_ = stage.state()["caches"]["a"]["id"]

    assert "Nothing was written" in state(stage, "mv", "a", "b", "--dry-run")[1]
    assert set(stage.state()["caches"]) == {"a"}
    assert state(stage, "mv", "a", "b")[0] == 0
    stage.write(B, a=LONG)
    assert stage.changes()["b"] == ("keep", "current")
    assert stage.state()["caches"]["b"]["id"] == id_
    assert state(stage, "mv", "b", "b")[0] == 3
    assert state(stage, "mv", "b", "No Name")[0] == 3


def test_rm(stage: Stage) -> None:
    """A forgotten record leaves its cache alone, and it is adopted again if it is declared."""
    stage.write(A, a=LONG)
    stage.apply()

    assert "stray" in state(stage, "rm", "a")[1]
    assert stage.state()["caches"] == {}
    assert len(stage.live()) == 1
    stage.apply()
    assert stage.count("create") == 1


def test_push(stage: Stage, tmp_path: Path) -> None:
    """An earlier version comes back by force alone, and another stack's never."""
    stage.write(A, a=LONG)
    stage.apply()
    state(stage, "rm", "a")
    (kept,) = [r["kept"] for r in json.loads(state(stage, "history", "--json")[1])["runs"][1:]]
    earlier = tmp_path / "earlier.json"
    earlier.write_text(state(stage, "pull", "--serial", str(kept))[1])

    status, text = state(stage, "push", str(earlier))
    assert status == 3
    assert "--force" in text
    before = stage.state()["serial"]
    assert state(stage, "push", str(earlier), "--force")[0] == 0
    assert set(stage.state()["caches"]) == {"a"}
    assert stage.state()["serial"] > before
    earlier.write_text(earlier.read_text().replace('"stack": "demo"', '"stack": "other"'))
    assert state(stage, "push", str(earlier), "--force")[0] == 1


def emptied(_: bytes) -> bytes:
    return b""


def halved(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def unmerged(raw: bytes) -> bytes:
    theirs = raw.replace(b'"serial": 1', b'"serial": 41')
    return b"<<<<<<< ours\n" + raw + b"=======\n" + theirs + b"\n>>>>>>> theirs\n"


@pytest.mark.parametrize(("damage", "serial"), [(halved, 1), (unmerged, 42), (emptied, 1)])
def test_push_over_what_cannot_be_read(
    stage: Stage, tmp_path: Path, damage: Callable[[bytes], bytes], serial: int
) -> None:
    """What cannot be read is replaced by force alone, under a serial that is no older."""
    stage.write(A, a=LONG)
    stage.apply()
    backup = tmp_path / "backup.json"
    backup.write_bytes(stage.state_file.read_bytes())
    damaged = damage(backup.read_bytes())
    stage.state_file.write_bytes(damaged)

    status, text = state(stage, "push", str(backup))
    assert status == 1
    assert "ctxprov state push FILE --force" in text
    status, text = state(stage, "push", str(backup), "--force", "--dry-run")
    assert status == 0
    assert "what was there cannot be read" in text
    assert stage.state_file.read_bytes() == damaged
    assert state(stage, "push", str(backup), "--force")[0] == 0
    assert stage.changes()["a"] == ("keep", "current")
    assert stage.state()["serial"] == serial


def test_push_of_nothing_over_what_cannot_be_read(stage: Stage, tmp_path: Path) -> None:
    """A state without a record replaces what cannot be read like any other."""
    stage.write(A, a=LONG)
    empty = tmp_path / "empty.json"
    empty.write_bytes(state_bytes(State(stack="demo")))
    stage.state_file.parent.mkdir()
    stage.state_file.write_bytes(b"{")

    assert state(stage, "push", str(empty), "--force")[0] == 0

    assert stage.state()["caches"] == {}


def test_push_over_another_stack(stage: Stage, tmp_path: Path) -> None:
    """Push never overwrites the state of another stack, in any version."""
    stage.write(A, a=LONG)
    stage.apply()
    backup = tmp_path / "backup.json"
    backup.write_bytes(stage.state_file.read_bytes())
    other = backup.read_bytes().replace(b'"stack": "demo"', b'"stack": "other"')

    for there in (other, other.replace(b'"version": 1', b'"version": 2')):
        stage.state_file.write_bytes(there)
        assert state(stage, "push", str(backup), "--force")[0] == 1
        assert stage.state_file.read_bytes() == there


def test_push_of_garbage_over_what_cannot_be_read(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be pushed changes nothing, not even where a lock is taken over."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=with_clock(lambda: NOW + timedelta(days=1)))
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    stage.write(A, a=LONG)
    files.write("demo.json", b"{", expected=None)
    dead = replace(lock_owner_here("apply", environ={}, runtime=AT_NOW), until=NOW)
    files.write("demo.lock.json", lock_owner_bytes(dead), expected=None)
    garbage = tmp_path / "garbage.json"
    garbage.write_text("{}")

    assert state(stage, "push", str(garbage), "--force")[0] == 1

    assert files.files["demo.json"] == b"{"


def test_push_of_anything_else(stage: Stage, tmp_path: Path) -> None:
    """The error for what is no state says what push takes, and changes nothing."""
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.state_file.read_bytes()
    file = tmp_path / "file.json"

    for text in ("garbage", "{}", ""):
        file.write_text(text)
        status, output = state(stage, "push", str(file))
        assert status == 1
        assert "give what ctxprov state pull prints" in output
    assert stage.state_file.read_bytes() == before
