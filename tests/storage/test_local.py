"""A folder as a backend, and what can be wrong with it; with real processes where it counts."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.errors import StateError, StateLocked, StateUnreadable
from provisioner.files import DRAFT
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend
from provisioner.storage.lock_owner import (
    LockOwner,
    lock_owner_bytes,
    lock_owner_here,
    parse_lock_owner,
)
from tests.builders import NOW
from tests.storage.clock import AT_NOW
from tests.storage.conformance import FilesConformance, Open

SOUND = b'{"sound": true}'

WHO = LockOwner(
    id="1f",
    who="me@here",
    pid=7,
    operation="apply",
    since=NOW,
    job="https://ci.example/1",
    commit="0123456789abcdef",
    until=NOW,
)


class TestConformance(FilesConformance):
    """What every backend promises of its files; its lock is the system's and no lease."""

    @pytest.fixture
    def open_place(self, tmp_path: Path) -> Open:
        return lambda _: LocalBackend(tmp_path / "deep", SYSTEM)


HOLD = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend
from provisioner.storage.lock_owner import LockOwner

async def hold():
    since = datetime(2026, 1, 1, tzinfo=UTC)
    who = LockOwner(id="1f", who="ann@build", pid=1, operation="apply", since=since)
    backend = LocalBackend(Path(sys.argv[1]), SYSTEM)
    async with backend.lock("demo.json", who, timeout=timedelta(), on_wait=print):
        print("held", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock for as long as the block lasts."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def take(
    folder: Path, name: str = "demo.json", timeout: timedelta = timedelta()
) -> list[timedelta]:
    """Take the lock and let it go; return how long was left at every wait."""
    waits: list[timedelta] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    backend = LocalBackend(folder, replace(SYSTEM, monotonic=lambda: now[0], sleep=sleep))

    async def once() -> None:
        async with backend.lock(
            name, WHO, timeout=timeout, on_wait=lambda _, left: waits.append(left)
        ):
            pass

    asyncio.run(once())
    return waits


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    """The second run's error names the lock owner, since when, and what to do."""
    with held(tmp_path), pytest.raises(StateLocked) as refused:
        take(tmp_path)

    sentence = str(refused.value)
    assert "ann@build (apply, pid 1) since 2026-01-01T00:00:00Z" in sentence
    assert "--lock-timeout" in sentence


def test_a_wait_has_its_limit(tmp_path: Path) -> None:
    """A waiting run reports how much longer it waits, down to nothing."""
    with held(tmp_path), pytest.raises(StateLocked):
        take(tmp_path, timeout=timedelta(seconds=1))
    with held(tmp_path) as other:
        other.kill()
        other.wait()
        assert take(tmp_path, timeout=timedelta(seconds=1)) == []


def test_a_dead_run_blocks_no_other(tmp_path: Path) -> None:
    """A lock ends with its process, however that ends."""
    with held(tmp_path) as other:
        other.kill()
        other.wait()
        assert LocalBackend(tmp_path, SYSTEM).lock_owner("demo.json") is None
        take(tmp_path)


def test_trying_harms_nothing(tmp_path: Path) -> None:
    """A refused run leaves the owner's text as it is."""
    backend = LocalBackend(tmp_path, SYSTEM)
    with held(tmp_path):
        before = (tmp_path / "demo.lock").read_bytes()
        with pytest.raises(StateLocked):
            take(tmp_path)
        owner = backend.lock_owner("demo.json")
        assert owner
        assert owner.who == "ann@build"
        assert (tmp_path / "demo.lock").read_bytes() == before


def test_it_ends_with_its_run_alone(tmp_path: Path) -> None:
    """No other run can end a lock on disk; the error says what ends it."""
    with held(tmp_path), pytest.raises(StateError, match="end its process"):
        LocalBackend(tmp_path, SYSTEM).unlock("demo.json", "any")


def test_a_lock_that_cannot_be(tmp_path: Path) -> None:
    """Where there can be no lock there is no run: a file for a folder, a link, a device."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path / "file")
    (tmp_path / "link.lock").symlink_to(tmp_path / "file")
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path, "link.json")
    (tmp_path / "folder.lock").mkdir()
    with pytest.raises(StateError, match="cannot be locked"):
        take(tmp_path, "folder.json")


@given(raw=st.binary(max_size=80))
def test_a_holder_that_makes_no_sense(raw: bytes) -> None:
    """Any bytes in the lock file are an unknown owner and no error."""
    assert parse_lock_owner(raw) is None


def test_holder_round_trip() -> None:
    """What is written of a owner is read back."""
    assert parse_lock_owner(lock_owner_bytes(WHO)) == WHO


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
    owner = lock_owner_here("apply", environ=environ, runtime=AT_NOW)

    assert owner.job == job
    assert "@" in owner.who


def test_something_else_in_its_place(tmp_path: Path) -> None:
    """A link, a folder or a device in the file's place is refused, for reading and writing."""
    backend = LocalBackend(tmp_path, SYSTEM)
    target = tmp_path / "target.json"
    target.write_bytes(SOUND)
    (tmp_path / "link.json").symlink_to(target)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")

    for name in ("link.json", "folder.json", "pipe.json"):
        with pytest.raises(StateError):
            backend.read(name)
        with pytest.raises(StateError):
            backend.write(name, b"{}", expected=None)
    assert target.read_bytes() == SOUND


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """A folder that is yet to be made is absent; one behind a broken link is out of reach."""
    (tmp_path / "mounted").symlink_to(tmp_path / "away")

    LocalBackend(tmp_path / "new" / "state", SYSTEM).confirm("demo.json")
    with pytest.raises(StateUnreadable, match=r"mounted is a link to .*away"):
        LocalBackend(tmp_path / "mounted" / "state", SYSTEM).confirm("demo.json")


FULL = """
import resource, sys
from pathlib import Path
from provisioner.errors import StateError
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend

resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    backend = LocalBackend(Path(sys.argv[1]), SYSTEM)
    backend.write("demo.json", b"x" * 1000, expected=backend.read("demo.json").version)
except StateError as error:
    print(error)
"""


def test_no_room(tmp_path: Path) -> None:
    """A file that cannot grow is an error; the old one stays whole and no draft is left."""
    assert resource.RLIMIT_FSIZE is not None
    path = tmp_path / "demo.json"
    path.write_bytes(SOUND)

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert "cannot be written" in done.stdout
    assert path.read_bytes() == SOUND
    assert [file.name for file in tmp_path.iterdir()] == ["demo.json"]


COUNT = """
import sys
from pathlib import Path
from provisioner.errors import StateTaken
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend

backend = LocalBackend(Path(sys.argv[1]), SYSTEM)
done = 0
while done < 20:
    found = backend.read("count")
    try:
        backend.write("count", b"%d" % (int(found.content) + 1), expected=found.version)
        done += 1
    except StateTaken:
        pass
"""


def test_nothing_is_lost_between_writers(tmp_path: Path) -> None:
    """Of writers that read the same, one wins, and the others notice."""
    LocalBackend(tmp_path, SYSTEM).write("count", b"0", expected=None)
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait(60) == 0

    assert (tmp_path / "count").read_bytes() == b"60"


@pytest.mark.parametrize("text", ['version = 1\n[[package]]\nname = "click"\n', "{}", "\0" * 5000])
def test_a_foreign_file_where_the_lock_should_be(tmp_path: Path, text: str) -> None:
    """A file with the lock's name that ctxprov did not write is refused, and stays as it is."""
    lock = tmp_path / "uv.lock"
    lock.write_text(text)
    with pytest.raises(StateError, match="ctxprov did not write"):
        take(tmp_path, "uv.json")
    assert lock.read_text() == text


@pytest.mark.parametrize("text", ["", '{"id":"ab', "\0" * 200])
def test_what_a_power_cut_left_of_a_lock(tmp_path: Path, text: str) -> None:
    """Half of a lock, or zeros in its place, keep no run out."""
    (tmp_path / "uv.lock").write_text(text)
    assert take(tmp_path, "uv.json") == []


def test_the_draft_of_a_killed_writer(tmp_path: Path) -> None:
    """The next write into a folder clears away the draft of a writer that was killed."""
    backend = LocalBackend(tmp_path, SYSTEM)
    (tmp_path / DRAFT).write_bytes(b"half a docu")

    backend.write("demo.json", b"whole", expected=None)

    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_a_draft_that_is_a_link(tmp_path: Path) -> None:
    """A link in the draft's place is cleared away, and what it leads to is not written."""
    (tmp_path / "target").write_bytes(b"foreign")
    (tmp_path / DRAFT).symlink_to("target")

    LocalBackend(tmp_path, SYSTEM).write("demo.json", b"whole", expected=None)

    assert (tmp_path / "target").read_bytes() == b"foreign"
    assert (tmp_path / "demo.json").read_bytes() == b"whole"
    assert not (tmp_path / DRAFT).is_symlink()


def test_drafts_are_cleared_with_the_lock(tmp_path: Path) -> None:
    """Who takes the lock clears away a killed run's drafts, its history's too, and no other's."""
    for folder in ("demo.history", "demo.more", "other.history"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / DRAFT).write_bytes(b"half")
    (tmp_path / DRAFT).write_bytes(b"half")

    take(tmp_path)

    assert [path.parent.name for path in tmp_path.rglob(DRAFT)] == ["other.history"]


def test_a_folder_in_place_of_the_draft(tmp_path: Path) -> None:
    """A folder with the draft's name, which a checkout may hold, stops no write."""
    (tmp_path / DRAFT / "file").mkdir(parents=True)

    LocalBackend(tmp_path, SYSTEM).write("demo.json", b"whole", expected=None)

    assert sorted(path.name for path in tmp_path.iterdir()) == [DRAFT, "demo.json"]
