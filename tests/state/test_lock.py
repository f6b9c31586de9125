"""One run at a time: with real processes where it counts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import StateError, StateLocked
from provisioner.homes.holder import holder_bytes, holder_here, parse_holder
from provisioner.state import Holder, lock_state
from tests.builders import NOW

WHO = Holder(who="me@here", pid=7, operation="apply", since=NOW, job="https://ci.example/1")
HOLD = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from provisioner.state import Holder, lock_state

async def hold():
    who = Holder(who="ann@build", pid=1, operation="apply", since=datetime(2026, 1, 1, tzinfo=UTC))
    async with lock_state(Path(sys.argv[1]), who=who, timeout=timedelta(), on_wait=print):
        print("held", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock for as long as the block lasts."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def take(path: Path, timeout: timedelta = timedelta()) -> list[timedelta]:
    """Take the lock and let it go; return how long was left at every wait."""
    waits: list[timedelta] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def once() -> None:
        async with lock_state(
            path,
            who=WHO,
            timeout=timeout,
            on_wait=lambda _, left: waits.append(left),
            monotonic=lambda: now[0],
            sleep=sleep,
        ):
            pass

    asyncio.run(once())
    return waits


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    """Who comes second is told who holds the state, since when, and what to do."""
    path = tmp_path / "demo.json"
    with held(path), pytest.raises(StateLocked) as refused:
        take(path)

    sentence = str(refused.value)
    assert "ann@build (apply, pid 1) since 2026-01-01T00:00:00Z" in sentence
    assert "--lock-timeout" in sentence


def test_waits_as_long_as_told(tmp_path: Path) -> None:
    """Who waits is told how much longer, down to nothing."""
    path = tmp_path / "demo.json"
    with held(path), pytest.raises(StateLocked):
        take(path, timedelta(seconds=1))
    with held(path) as other:
        other.kill()
        other.wait()
        assert take(path, timedelta(seconds=1)) == []


def test_a_dead_run_blocks_nobody(tmp_path: Path) -> None:
    """A lock ends with its process, however that ends."""
    path = tmp_path / "demo.json"
    with held(path) as other:
        other.kill()
        other.wait()
        take(path)


def test_trying_harms_nothing(tmp_path: Path) -> None:
    """Whoever tries in vain leaves the holder's text as it is."""
    path = tmp_path / "demo.json"
    with held(path):
        before = path.with_suffix(".lock").read_bytes()
        with pytest.raises(StateLocked):
            take(path)
        assert path.with_suffix(".lock").read_bytes() == before


def test_a_lock_that_cannot_be(tmp_path: Path) -> None:
    """Where there can be no lock there is no run: a file for a folder, a link, a device."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path / "file" / "demo.json")
    (tmp_path / "link.lock").symlink_to(tmp_path / "file")
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path / "link.json")
    (tmp_path / "folder.lock").mkdir()
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path / "folder.json")


@given(raw=st.binary(max_size=80))
def test_a_holder_that_makes_no_sense(raw: bytes) -> None:
    """Whatever stands in the lock file, it is an unknown holder and no error."""
    assert parse_holder(raw) is None


def test_holder_round_trip() -> None:
    """What is written of a holder is read back."""
    assert parse_holder(holder_bytes(WHO)) == WHO


@pytest.mark.parametrize(
    ("environ", "job"),
    [
        ({}, None),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        (
            {
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "7",
            },
            "https://github.example/a/b/actions/runs/7",
        ),
    ],
)
def test_the_job_is_named(environ: dict[str, str], job: str | None) -> None:
    """In CI the lock says where its log can be read."""
    holder = holder_here("apply", since=NOW, environ=environ)

    assert holder.job == job
    assert "@" in holder.who
