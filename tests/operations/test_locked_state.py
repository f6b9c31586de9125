"""A run holds its state: what it cannot save is left on this machine, not lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.runtime import SYSTEM
from provisioner.state.group_commit import open_ledger
from provisioner.storage.lease import LeaseBackend
from tests.builders import NOW
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_state import state
from tests.storage.clock import AT_NOW
from tests.storage.memory import MemoryFiles

A = f"a: {{{GEMINI}, content: a.md}}"


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


def test_a_lock_that_is_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that loses its lock retires nothing and exits 1; what it made is adopted."""
    backend = LeaseBackend(MemoryFiles(), runtime=AT_NOW)
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
                runtime=SYSTEM,
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
    runtime = replace(
        SYSTEM,
        now=lambda: NOW + timedelta(seconds=passed[0]),
        boot_seconds=lambda: passed[0],
    )
    backend = LeaseBackend(files, runtime=runtime)
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
