"""Runners that share one state in an object store: locks, takeovers, and a store that goes away."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import pytest
from starlette.responses import Response

from provisioner import GeminiHandle, Handles
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.storage.lock_owner import LockOwner
from provisioner.storage.object_store import ObjectStore
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.storage.s3 import BUCKET, S3, served_s3

JOB = "https://ci.example/jobs/7"
A = f"a: {{{GEMINI}, content: a.md}}"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with served_s3() as server:
        yield server


@dataclass
class Team:
    """A stack whose state and handles are in a bucket, and the runners that share it."""

    stage: Stage
    s3: S3
    address: str = field(default_factory=lambda: f"s3://{BUCKET}/{uuid4().hex}")

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(self.address, self.s3.environ)

    def write(self, text: str) -> None:
        head = f"version: 1\nstack: demo\nstate: {self.address}\n"
        self.stage.write(A, head=f"{head}publish: {self.address}/handles.json\n", a=text)

    @contextmanager
    def applying(self, *, stopped: Stopped) -> Iterator[subprocess.Popen[str]]:
        """An apply in a process of its own, stopped at its first creation."""
        self.stage.around = stopped
        command = [sys.executable, "-m", "provisioner", "apply", str(self.stage.root)]
        with subprocess.Popen(
            [*command, "--auto-approve"],
            cwd=self.stage.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as run:
            assert stopped.knocked.wait(30)
            yield run
            stopped.go_on.set()
            run.kill()

    def lock_owner(self) -> LockOwner:
        fields = self.stage.run("lock", "status", "--json", "-C", ".").json["holder"]
        moments = {key: datetime.fromisoformat(fields[key]) for key in ("since", "until")}
        return LockOwner(**{**fields, **moments})

    def end_lock(self) -> None:
        """A person ends the lock that is held, and does not know whether its run lives."""
        assert "is ended" in self.stage.run("unlock", self.lock_owner().id, "-C", ".").out

    def serial(self) -> int:
        file = self.store.read("demo.json")
        assert file
        serial: int = json.loads(file.content)["serial"]
        return serial


class Stopped:
    """Stops the first creation, and no other, until it may go on."""

    def __init__(self) -> None:
        self.knocked = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create" and not self.knocked.is_set():
            self.knocked.set()
            await asyncio.to_thread(self.go_on.wait, 30)
        return await carry_out()


@pytest.fixture
def team(stage: Stage, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CI_JOB_URL", JOB)
    monkeypatch.chdir(stage.root)
    raised = Team(stage, s3)
    raised.write(LONG)
    return raised


@pytest.mark.heavy
def test_two_runners(team: Team) -> None:
    """The second names the owner of the lock, or waits for it; both end with one cache."""
    stopped = Stopped()
    with team.applying(stopped=stopped) as first:
        result = team.stage.apply()
        assert result.status == 4
        owner = team.lock_owner()
        assert (owner.pid, owner.job) == (first.pid, JOB)
        assert f"locked: {owner} holds it" in " ".join(result.err.split())
        assert team.stage.run("plan", ".").status == 0
        stopped.go_on.set()
        waited = team.stage.apply("--lock-timeout", "60s")
        assert first.wait(30) == 0

    assert waited.status == 0
    assert waited.err.startswith(f"Waiting up to 60s for {owner}")
    assert "No changes." in waited.out
    (id_,) = team.stage.live()
    handle = Handles(f"{team.address}/handles.json").get("a")
    assert isinstance(handle, GeminiHandle)
    assert handle.cache_name == id_


@pytest.mark.heavy
def test_a_killed_holder(team: Team) -> None:
    """A lock outlives its run until a person ends it, or its job does; then the next goes on."""
    stopped = Stopped()
    with team.applying(stopped=stopped) as run:
        run.kill()
        run.wait()
    assert team.stage.apply().status == 4
    team.end_lock()
    assert team.stage.apply().status == 0
    assert len(team.stage.live()) == 1

    team.write(LONG + "more")
    with team.applying(stopped=Stopped()) as run:
        run.kill()
        run.wait()
    assert "is ended" in team.stage.run("unlock", "--mine", "-C", ".").out
    assert team.stage.apply().status == 0


@pytest.mark.heavy
def test_a_loser_that_writes_late(team: Team) -> None:
    """A run that lost the lock saves, publishes and retires nothing, and says so."""
    assert team.stage.apply().status == 0
    team.write(LONG + "more")
    stopped = Stopped()
    with team.applying(stopped=stopped) as loser:
        team.end_lock()
        assert team.stage.apply().status == 0
        serial = team.serial()
        handle = Handles(f"{team.address}/handles.json").get("a")
        assert isinstance(handle, GeminiHandle)
        retired = team.stage.count("patch", "delete")
        stopped.go_on.set()
        _, text = loser.communicate(timeout=30)

    assert loser.returncode == 1
    assert "another run has taken the state meanwhile" in text.splitlines()[-1]
    assert team.serial() == serial
    assert Handles(f"{team.address}/handles.json").get("a") == handle
    assert team.stage.count("patch", "delete") == retired == 1
    assert not list(team.stage.root.glob("*.unsaved*"))


@pytest.mark.heavy
def test_a_home_that_goes_away(team: Team) -> None:
    """What cannot be saved retires nothing, is said last, and left here to be pushed or adopted."""
    assert team.stage.apply().status == 0
    team.write(LONG + "more")
    stopped = Stopped()
    with team.applying(stopped=stopped) as run:
        team.s3.stop()
        stopped.go_on.set()
        _, text = run.communicate(timeout=60)
        team.s3.start()

    assert run.returncode == 1
    assert "ctxprov state push demo.unsaved.json" in text.splitlines()[-1]
    assert team.stage.count("patch", "delete") == 0
    assert team.stage.changes()["a"][0] == "adopt"
    team.end_lock()
    assert team.stage.run("state", "push", "demo.unsaved.json", "-C", ".").status == 0
    assert [change["action"] for change in team.stage.plan()["changes"]] == ["keep", "retire"]
    again = team.stage.run("state", "push", "demo.unsaved.json", "-C", ".")
    assert "is what is there already" in again.out
    assert team.stage.apply().status == 0
    assert team.stage.count("create") == 2
    assert team.stage.count("patch", "delete") == 1
