"""`ctxprov state` edits a state by hand, without asking a provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.model import State
from provisioner.state import state_bytes
from provisioner.state.group_commit import open_ledger
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import lock_owner_bytes, lock_owner_here
from tests.builders import NOW
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.storage.memory import MemoryFiles

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: a.md}}"


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
    backend = LeaseBackend(files, now=lambda: NOW + timedelta(days=1))
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    stage.write(A, a=LONG)
    files.write("demo.json", b"{", expected=None)
    dead = replace(lock_owner_here("apply", since=NOW, environ={}), until=NOW)
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


def test_migrate_elsewhere(stage: Stage, tmp_path: Path) -> None:
    """Where another stack's state is, at the same place, or at none, nothing is copied."""
    stage.write(A, a=LONG)
    stage.apply()
    (tmp_path / "there").mkdir()
    other = stage.state_file.read_text().replace('"stack": "demo"', '"stack": "other"')
    (tmp_path / "there" / "demo.json").write_text(other)

    status, text = state(stage, "migrate", str(tmp_path / "there"))
    assert status == 1
    assert "is the state of the stack other, not of demo" in text
    assert (tmp_path / "there" / "demo.json").read_text() == other
    assert "is where the state is already" in state(stage, "migrate", str(stage.root / "state"))[1]
    assert state(stage, "migrate", str(tmp_path / "new"), "--emulator")[0] == 64
    assert "it is s3://BUCKET/PREFIX" in state(stage, "migrate", "s3:/bucket")[1]


def test_a_store_without_its_package(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend whose extra is not installed says what to install."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    stage.write(A, a=LONG)
    result = stage.apply("--state", "s3://bucket/prefix")

    assert result.status == 1
    assert "pip install 'ctxprov[stores]'" in result.err
    assert stage.live() == {}


def test_migrate(stage: Stage, tmp_path: Path) -> None:
    """State, history and versions are read at the new place, which is not overwritten blindly."""
    stage.write(A, a=LONG)
    stage.apply()
    state(stage, "mv", "a", "b")
    state(stage, "mv", "b", "a")
    place = str(tmp_path / "new")

    assert state(stage, "migrate", place, "--dry-run")[0] == 0
    assert not (tmp_path / "new" / "demo.json").exists()
    status, text = state(stage, "migrate", place)
    assert status == 0
    assert f"state: {place}" in text
    assert stage.changes("--state", place)["a"] == ("keep", "current")
    runs = json.loads(state(stage, "history", "--json", "--state", place)[1])["runs"]
    assert [r["operation"] for r in runs] == ["apply", "state mv", "state mv", "state migrate"]
    assert state(stage, "pull", "--serial", "2", "--state", place)[0] == 0
    state(stage, "rm", "a")
    state(stage, "rm", "a", "--state", place)
    stage.apply("--state", place)
    assert state(stage, "migrate", place)[0] == 3


def test_unsaved(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is gone at the end is named last, and the state waits in a file for push."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    stage.write(A, a=LONG)
    stage.state_file.mkdir(parents=True)  # nothing can be read or written in its place
    assert stage.apply().status == 1
    stage.state_file.rmdir()

    async def break_home(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            stage.state_file.mkdir()
        return await carry_out()

    stage.around = break_home
    result = stage.apply()
    stage.around = None
    stage.state_file.rmdir()

    assert result.status == 1
    assert "state push demo.unsaved.json" in result.err.splitlines()[-1]
    assert state(stage, "push", "demo.unsaved.json")[0] == 0
    assert stage.changes()["a"] == ("keep", "current")
    assert stage.count("create") == 1


def test_locks_on_disk(stage: Stage) -> None:
    """An idle state has no lock owner; on disk only its run can end a lock."""
    stage.write(A, a=LONG)
    stage.apply()

    assert "No run holds" in stage.run("lock", "status", "-C", ".").out
    assert stage.run("lock", "status", "--json", "-C", ".").json["holder"] is None
    result = stage.run("unlock", "3f9c0a7be1d2", "-C", ".")
    assert result.status == 1
    assert "ends with the run" in result.err
    assert stage.run("unlock", "-C", ".").status == 64


def test_a_lock_that_is_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that loses its lock retires nothing and exits 1; what it made is adopted."""
    backend = LeaseBackend(MemoryFiles(), now=lambda: NOW)
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    monkeypatch.chdir(stage.root)
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    stage.apply()
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG + "more")

    async def take(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            owner = backend.lock_owner("demo.json")
            assert owner
            backend.unlock("demo.json", owner.id)
            async with open_ledger(
                backend,
                stack="demo",
                who=replace(owner, id="other"),
                timeout=timedelta(),
                on_wait=lambda *_: None,
                before_save=lambda _: None,
            ) as ledger:
                ledger.put(ledger.state)
        return await carry_out()

    stage.around = take
    result = stage.apply()
    stage.around = None

    assert result.status == 1
    assert "another run has taken the state" in result.err
    assert stage.count("patch", "delete") == 0
    assert not list(stage.root.glob("*.unsaved*"))
    assert stage.changes()["a"][0] == "adopt"
    assert stage.apply().status == 0
    assert stage.count("create") == 2


def test_a_lock_that_runs_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose backend is away for longer than its lock lives leaves a file to push."""
    files, passed = MemoryFiles(), [0.0]
    backend = LeaseBackend(
        files,
        now=lambda: NOW + timedelta(seconds=passed[0]),
        boot_clock=lambda: passed[0],
    )
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    monkeypatch.chdir(stage.root)
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    stage.apply()
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG + "more")

    async def go_away(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            files.is_down = True
            passed[0] += 61
        return await carry_out()

    stage.around = go_away
    result = stage.apply()
    stage.around = None
    files.is_down = False
    left = backend.lock_owner("demo.json")
    assert left
    backend.unlock("demo.json", left.id)

    assert result.status == 1
    assert "could not be renewed" in " ".join(result.err.split())
    assert "another run has taken" not in result.err
    assert stage.count("patch", "delete") == 0
    assert state(stage, "push", "demo.unsaved.json")[0] == 0
    assert stage.apply().status == 0
    assert stage.count("create") == 2
