"""What an application makes of published handles, and when it looks for newer ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from provisioner.cache import ClaudeHandle, GeminiHandle, OpenAIHandle
from provisioner.handles import handles_bytes
from provisioner.handles.reader import BackendSource, FileSource, Handles, Missing, source_of
from provisioner.runtime import SYSTEM
from provisioner.storage import StoredFile
from provisioner.storage.lease import LeaseBackend
from tests.builders import HOUR, NOW, desired, recorded, state
from tests.handles.fixtures import NOTE, OPENAI, A, written
from tests.storage.clock import with_clock
from tests.storage.memory import MemoryFiles


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class SlowFiles(MemoryFiles):
    """Files that are far away: something happens while they are read."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)
    looks = 0

    def read(self, name: str) -> StoredFile | None:
        self.looks += 1
        self.meanwhile()
        return super().read(name)


def far_away(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> tuple[SlowFiles, Handles]:
    """A backend that holds `a`, and handles that have seen it."""
    files = SlowFiles()
    monkeypatch.setattr(
        "provisioner.handles.reader.open_backend",
        lambda *_, **__: LeaseBackend(files, runtime=with_clock(clock)),
    )
    files.files["handles.json"] = handles_bytes(state(A), hidden=(), now=NOW)
    handles = Handles("s3://bucket/handles.json", clock=clock)
    assert handles.get("a") == GeminiHandle(A.id)
    return files, handles


def test_reading(tmp_path: Path) -> None:
    """An application gets each provider's own handle, and None for what is cold."""
    path = tmp_path / "handles.json"
    written(path, A, NOTE, OPENAI)
    handles = Handles(path, clock=Clock())

    assert handles.get("a") == GeminiHandle(A.id)
    assert handles.get("n") == ClaudeHandle({"type": "ephemeral", "ttl": "1h"})
    assert handles.get("o") == OpenAIHandle("demo.o", {"ttl": "30m"})
    assert handles.get("unknown") is None
    assert asyncio.run(handles.aget("a")) == GeminiHandle(A.id)


def test_following(tmp_path: Path) -> None:
    """A replaced cache reaches its users within a second, without a restart."""
    path, clock = tmp_path / "handles.json", Clock()
    written(path, A)
    handles = Handles(path, clock=clock)
    assert handles.get("a") == GeminiHandle(A.id)

    written(path, recorded(desired("a", "y"), "cachedContents/2"))
    clock.now += timedelta(seconds=0.9)
    assert handles.get("a") == GeminiHandle(A.id)
    clock.now += timedelta(seconds=0.1)

    assert handles.get("a") == GeminiHandle("cachedContents/2")


def test_following_a_link(tmp_path: Path) -> None:
    """A link is followed, as Kubernetes mounts files."""
    path, link = tmp_path / "v1.json", tmp_path / "handles.json"
    written(path, A)
    link.symlink_to(path)

    assert Handles(link, clock=Clock()).get("a") == GeminiHandle(A.id)


def test_looks_leave_nothing_open(tmp_path: Path) -> None:
    """However often a file is looked at, no descriptor stays open."""
    path, clock = tmp_path / "handles.json", Clock()
    written(path, A)
    handles = Handles(path, clock=clock, interval=timedelta())
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        assert handles.get("a")

    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_source_tells_what_is_new(tmp_path: Path) -> None:
    """A file is read again only after it has changed, or has been away."""
    path, away = tmp_path / "handles.json", tmp_path / "away.json"
    path.write_bytes(b"1")
    source = FileSource(path)
    assert [source.read(), source.read()] == [b"1", None]

    path.rename(away)
    with pytest.raises(Missing):
        source.read()
    away.rename(path)
    assert [source.read(), source.read()] == [b"1", None]


def test_a_backend_tells_what_is_new() -> None:
    """So is a file in a backend."""
    files = MemoryFiles()
    source = BackendSource(LeaseBackend(files, runtime=with_clock(Clock())), "handles.json")
    for _ in range(2):
        with pytest.raises(Missing):
            source.read()
        files.files["handles.json"] = b"1"
        assert [source.read(), source.read()] == [b"1", None]
        del files.files["handles.json"]


def test_an_address() -> None:
    """A backend is asked with the first handle, not when its address is named."""
    assert isinstance(
        source_of("https://state.example.com/handles.json", SYSTEM, {}, root=Path()), BackendSource
    )


def test_in_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handles in a backend are followed; while it is gone, what was known goes on."""
    files, clock = MemoryFiles(), Clock()
    monkeypatch.setattr(
        "provisioner.handles.reader.open_backend",
        lambda *_, **__: LeaseBackend(files, runtime=with_clock(clock)),
    )
    handles = Handles("s3://bucket/handles.json", clock=clock)
    assert handles.get("a") is None

    files.files["handles.json"] = handles_bytes(state(A), hidden=(), now=NOW)
    assert handles.get("a") is None
    clock.now += timedelta(seconds=15)
    assert handles.get("a") == GeminiHandle(A.id)
    files.is_down = True
    clock.now += timedelta(seconds=15)
    assert asyncio.run(handles.aget("a")) == GeminiHandle(A.id)
    files.is_down = False
    del files.files["handles.json"]
    clock.now += timedelta(seconds=15)
    assert handles.get("a") is None


@pytest.mark.parametrize("get", [Handles.get, lambda *of: asyncio.run(Handles.aget(*of))])
def test_a_long_look(
    monkeypatch: pytest.MonkeyPatch, get: Callable[[Handles, str], object]
) -> None:
    """A handle that runs out while the backend is asked in vain is cold."""
    clock = Clock()
    files, handles = far_away(monkeypatch, clock)

    def give_up() -> None:
        clock.now += timedelta(seconds=16)

    files.meanwhile, files.is_down = give_up, True
    clock.now = NOW + 6 * HOUR - timedelta(seconds=10)

    assert get(handles, "a") is None


def test_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a look has taken, a whole interval passes before the next."""
    clock = Clock()
    files, handles = far_away(monkeypatch, clock)

    def give_up() -> None:
        clock.now += timedelta(seconds=60)

    files.meanwhile, files.is_down, files.looks = give_up, True, 0
    clock.now += timedelta(seconds=15)
    assert handles.get("a") == GeminiHandle(A.id)
    clock.now += timedelta(seconds=14)
    assert handles.get("a") == GeminiHandle(A.id)
    assert handles.get("unknown") is None
    assert files.looks == 1

    clock.now += timedelta(seconds=1)
    assert handles.get("a") == GeminiHandle(A.id)
    assert files.looks == 2


def test_one_caller_looks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one caller looks, the others get the handle that they have at once."""
    clock, looking, answer = Clock(), Event(), Event()
    files, handles = far_away(monkeypatch, clock)
    found: list[object] = []

    def hang() -> None:
        looking.set()
        assert answer.wait(5)

    files.meanwhile, files.looks = hang, 0
    newer = (recorded(desired(name, "y"), f"cachedContents/{name}2") for name in "ab")
    files.files["handles.json"] = handles_bytes(state(*newer), hidden=(), now=NOW)
    clock.now += timedelta(seconds=15)
    callers = [
        Thread(target=lambda name=name: found.append(handles.get(name)), daemon=True)
        for name in ("a", "b")
    ]
    callers[0].start()
    assert looking.wait(5)
    callers[1].start()
    got = handles.get("a"), asyncio.run(handles.aget("a"))
    answer.set()
    for caller in callers:
        caller.join(5)

    assert got == (GeminiHandle(A.id),) * 2
    assert sorted(found, key=str) == [
        GeminiHandle("cachedContents/a2"),
        GeminiHandle("cachedContents/b2"),
    ]
    assert files.looks == 1


def test_a_handle_that_ran_out_waits_for_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller whose handle has run out gets the newer one that another caller is looking for."""
    clock, looking, answer = Clock(), Event(), Event()
    files, handles = far_away(monkeypatch, clock)
    got: list[object] = []

    def hang() -> None:
        looking.set()
        assert answer.wait(5)

    clock.now += 6 * HOUR
    files.meanwhile = hang
    files.files["handles.json"] = handles_bytes(
        state(recorded(desired("a"), "cachedContents/2", expires_at=clock.now + HOUR)),
        hidden=(),
        now=clock.now,
    )
    callers = [Thread(target=lambda: got.append(handles.get("a")), daemon=True) for _ in range(2)]
    callers[0].start()
    assert looking.wait(5)
    callers[1].start()
    callers[1].join(0.05)
    assert callers[1].is_alive()
    answer.set()
    for caller in callers:
        caller.join(5)

    assert got == [GeminiHandle("cachedContents/2")] * 2


def test_a_task_waits_for_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose handle lives gets it at once, though every thread waits for the backend."""
    clock, answer = Clock(), Event()
    files, handles = far_away(monkeypatch, clock)

    async def two_tasks() -> tuple[object, object]:
        loop, looking = asyncio.get_running_loop(), asyncio.Event()

        def hang() -> None:
            loop.call_soon_threadsafe(looking.set)
            assert answer.wait(5)

        files.meanwhile = hang
        loop.set_default_executor(ThreadPoolExecutor(1))
        first = asyncio.create_task(handles.aget("unknown"))
        await looking.wait()
        try:
            return await asyncio.wait_for(handles.aget("a"), 2), first.done()
        finally:
            answer.set()
            await first

    clock.now += timedelta(seconds=15)

    assert asyncio.run(two_tasks()) == (GeminiHandle(A.id), False)


def test_at_expiry(tmp_path: Path) -> None:
    """A handle that has run out is looked for each time, and is cold until there is a newer one."""
    path, clock = tmp_path / "handles.json", Clock()
    written(path, A)
    handles = Handles(path, clock=clock, interval=24 * HOUR)
    assert handles.get("a") is not None

    clock.now += 6 * HOUR
    assert handles.get("a") is None
    written(path, recorded(desired("a"), expires_at=NOW + 12 * HOUR), now=clock.now)
    assert handles.get("a") == GeminiHandle(A.id)


def test_at_expiry_in_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle that has run out is looked for once a second, however long the interval is."""
    clock = Clock()
    files, handles = far_away(monkeypatch, clock)
    clock.now += 6 * HOUR
    files.looks = 0

    assert [handles.get("a"), handles.get("a")] == [None, None]
    assert files.looks == 1
    clock.now += timedelta(seconds=1)
    assert handles.get("a") is None
    assert files.looks == 2


@pytest.mark.parametrize(("before", "is_there"), [(2.0, False), (2.000001, True)])
def test_two_seconds_before_expiry(tmp_path: Path, before: float, *, is_there: bool) -> None:
    """A handle is cold from two seconds before its end, for clocks are not that exact."""
    path, clock = tmp_path / "handles.json", Clock()
    written(path, A)
    clock.now = A.expires_at - timedelta(seconds=before)

    assert (Handles(path, clock=clock).get("a") is not None) == is_there


def test_a_gap_between_clocks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A gap is logged if it is of more than two minutes, and once however it changes."""
    path, clock = tmp_path / "handles.json", Clock()
    handles = Handles(path, clock=clock, interval=timedelta())
    logged = []
    for seconds in (120, 121, 0, 3600):
        path.unlink(missing_ok=True)
        written(path, A, now=clock.now + timedelta(seconds=seconds))
        assert handles.get("a")
        logged.append(len(caplog.records))

    assert logged == [0, 1, 1, 1]
    assert [record.name for record in caplog.records] == ["provisioner.handles"]


def test_a_clock_that_is_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The present is never before the file was generated; a gap between clocks is logged once."""
    path, clock = tmp_path / "handles.json", Clock()
    written(path, recorded(desired("a"), expires_at=NOW + HOUR), now=NOW)
    clock.now = NOW - 3 * HOUR
    handles = Handles(path, clock=clock)
    assert handles.get("a")

    document = json.loads(path.read_text())
    late = {**document, "generated_at": "2026-01-01T14:00:00Z"}
    late["caches"]["a"]["expires_at"] = "2026-01-01T13:00:00Z"
    path.write_text(json.dumps(late))
    clock.now += timedelta(minutes=1)
    assert handles.get("a") is None
    assert len(caplog.records) == 1
    assert "clock is" in caplog.text


def test_missing_and_broken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A missing file is cold, a broken one leaves what was known; each is logged once."""
    path, clock = tmp_path / "handles.json", Clock()
    handles = Handles(path, clock=clock)
    for _ in range(3):
        assert handles.get("a") is None
        clock.now += timedelta(seconds=1)

    written(path, A)
    clock.now += timedelta(seconds=1)
    assert handles.get("a") is not None
    path.write_text("{")
    for _ in range(3):
        clock.now += timedelta(seconds=1)
        assert handles.get("a") is not None
    path.unlink()
    clock.now += timedelta(seconds=1)
    assert handles.get("a") is None
    assert len(caplog.records) == 3


def test_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder in the file's place leaves every name cold, and is logged."""
    assert Handles(tmp_path, clock=Clock()).get("a") is None
    assert "it cannot be read" in caplog.text


def test_the_clock_of_the_machine(tmp_path: Path) -> None:
    """Without a clock of its own, an application goes by that of its machine."""
    path, now = tmp_path / "handles.json", datetime.now(UTC)
    written(
        path,
        recorded(desired("a"), expires_at=now + HOUR),
        recorded(desired("b"), expires_at=now),
        now=now - HOUR,
    )
    handles = Handles(path)

    assert (handles.get("a"), handles.get("b")) == (GeminiHandle(A.id), None)


@pytest.mark.parametrize("generated_at", ["never", None, 5])
def test_a_document_in_part(
    tmp_path: Path, generated_at: object, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that cannot be read spoils no other, nor does a date."""
    path = tmp_path / "handles.json"
    written(path, A, NOTE)
    document = json.loads(path.read_text())
    caches = document["caches"]
    caches["odd"] = {**caches["a"], "expires_at": "tomorrow"}
    caches["foreign"] = {**caches["n"], "handle": {"provider": "other"}}
    caches["bare"] = {"handle": caches["a"]["handle"]}
    path.write_text(json.dumps({**document, "generated_at": generated_at}))

    handles = Handles(path, clock=Clock())
    assert handles.get("a") == GeminiHandle(A.id)
    assert handles.get("n") is not None
    assert [handles.get(name) for name in ("odd", "foreign", "bare")] == [None] * 3
    assert "3 of its handles" in caplog.text
