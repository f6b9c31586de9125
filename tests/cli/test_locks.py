"""Whose lock it is, and who may end it without its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, lock_owner_here, mark_of
from tests.builders import NOW
from tests.cli.cli_harness import GEMINI, LONG, Stage, write_stacks
from tests.storage.clock import AT_NOW
from tests.storage.memory import MemoryFiles
from tests.storage.terraform_server import States, locked_by, terraform_server

A = f"a: {{{GEMINI}, content: a.md}}"
BASE = "/api/v4/projects/1/terraform/state"
GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "a/b",
    "GITHUB_RUN_ID": "7",
    "GITHUB_JOB": "apply",
}
LEG, OTHER_LEG = (GITHUB | {"RUNNER_NAME": f"runner {number}"} for number in (1, 2))
JOB, OTHER_JOB = ({"CI_JOB_URL": f"https://ci.example/{number}"} for number in (1, 2))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that runs the tests is none of theirs."""
    for name in (*LEG, *JOB):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[False, True], ids=["faithful", "echo"])
def server(request: pytest.FixtureRequest) -> Iterator[States]:
    """One server that keeps all that a lock says, and one that keeps as little as GitLab."""
    with terraform_server() as states:
        states.echoes = request.param
        yield states


def unlocked_by(stage: Stage, environ: Mapping[str, str], *arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        return stage.run("unlock", "--mine", "-C", ".", *arguments).out


def test_unlock_mine(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """--mine ends the lock of this job, and no other's."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    stage.write(A, a=LONG)
    who = holding("r1", environ=JOB)
    files.write("demo.lock.json", lock_owner_bytes(who), expected=None)

    other, mine, again = (unlocked_by(stage, job) for job in (OTHER_JOB, JOB, JOB))

    assert "holds no lock" in other
    assert f"lock {who.id}" in mine
    assert "holds no lock" in again


@pytest.mark.parametrize(("mine", "other"), [(LEG, OTHER_LEG), (JOB, OTHER_JOB)])
def test_unlock_mine_on_a_server(
    stage: Stage, server: States, mine: Mapping[str, str], other: Mapping[str, str]
) -> None:
    """A leg of a matrix ends its own lock alone, also where the server forgets who holds it."""
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    who = lock_owner_here("apply", environ=mine, runtime=AT_NOW)
    server.locks[f"{BASE}/demo"] = locked_by(who)
    place = ("--state", server.url + BASE)

    assert "holds no lock" in unlocked_by(stage, other, *place)
    assert server.locks
    assert f"lock {who.id}" in unlocked_by(stage, mine, *place)
    assert server.locks == {}


def test_the_lock_of_a_terraform(stage: Stage, server: States) -> None:
    """`lock status` names a Terraform lock by its id, and `unlock` with that id ends it."""
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    theirs = "3f9c0a7b-5f0e-4d0e-8c55-0d3f6a2f4a11"
    fields = locked_by(lock_owner_here("apply", environ={}, runtime=AT_NOW))
    server.locks[f"{BASE}/demo"] = {**fields, "ID": theirs, "Info": ""}
    place = ("-C", ".", "--state", server.url + BASE)

    assert f"its lock is {theirs}" in stage.run("lock", "status", *place).out
    assert "holds no lock" in unlocked_by(stage, JOB, *place[2:])
    assert stage.run("unlock", theirs, *place).status == 0
    assert server.locks == {}


def test_what_the_server_echoes(stage: Stage, server: States) -> None:
    """`lock status` shows no word of the asking run as one of the lock's owner."""
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    commit = {"GITHUB_SHA": "c0ffee"}
    server.locks[f"{BASE}/demo"] = locked_by(
        lock_owner_here("apply", environ=commit, runtime=AT_NOW)
    )

    result = stage.run("lock", "status", "-C", ".", "--state", server.url + BASE)

    assert "since 2026-01-01T12:00:00Z" in result.out
    assert "lock status" not in result.out
    assert ("c0ffee" in result.out) is not server.echoes


def test_a_lock_of_an_unknown_owner(stage: Stage, server: States) -> None:
    """A state that is locked is never called free, and what is not ended is not called ended."""
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)
    server.before = lambda _: (423, b"", {})
    place = ("-C", ".", "--state", server.url + BASE)

    assert stage.run("lock", "status", *place).out.startswith("a run that the server does not name")
    assert stage.run("lock", "status", "--json", *place).json["holder"]["id"] == ""
    result = stage.run("unlock", "ccc", *place)
    assert result.status == 1
    assert "is ended" not in result.out


def holding(name: str, *, environ: Mapping[str, str]) -> LockOwner:
    """Who holds a lock in a job for another minute."""
    return LockOwner(
        id=f"{mark_of(environ)}{name}",
        who="me@here",
        pid=1,
        operation="apply",
        since=NOW,
        until=NOW + timedelta(minutes=1),
    )


def test_locks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds each state, and an end to all that one job holds; an ID belongs to one stack."""
    pattern = str(write_stacks(stage, "one", "two", "three"))
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)
    monkeypatch.setattr("provisioner.storage.local.backend_at", lambda *_, **__: backend)
    monkeypatch.setenv("CTXPROV_STATE", "elsewhere")
    jobs = {name: {"CI_JOB_URL": f"https://ci.example/{name}"} for name in ("one", "two")}
    held = {name: holding("r1", environ=job) for name, job in jobs.items()}
    monkeypatch.setenv("CI_JOB_URL", jobs["one"]["CI_JOB_URL"])
    for name, who in held.items():
        files.write(f"{name}.lock.json", lock_owner_bytes(who), expected=None)

    result = stage.run("lock", "status", "-C", pattern, "--json").json["stacks"]
    ids = {one["stack"]: one["holder"] and one["holder"]["id"] for one in result}
    assert ids == {"one": held["one"].id, "two": held["two"].id, "three": None}
    assert stage.run("unlock", held["two"].id, "-C", pattern).status == 64
    assert stage.run("unlock", "--mine", "-C", pattern).out.count("is ended") == 2  # and a summary
    assert "No run holds" in stage.run("lock", "status", "-C", str(stage.root / "stacks/one")).out
    assert backend.lock_owner("two.json")


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
