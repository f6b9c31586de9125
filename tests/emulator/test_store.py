"""The file: shared, quick with many rows, and of the emulator alone."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from provisioner.emulator import Emulator, StoreUnusable
from provisioner.emulator.store import Row, Store
from tests.emulator.local import Clock, cache, emulated


def test_servers_share_a_file(tmp_path: Path) -> None:
    """What one server does, another over the same file answers with at once."""
    store = tmp_path / "caches.sqlite"
    with emulated(store) as one, emulated(store) as other:
        created, doomed = one.create(), one.create()
        patched = other("PATCH", created["name"], {"ttl": "60s"}).json()
        other("DELETE", doomed["name"])

        assert one("GET", created["name"]).json() == patched
        assert one.names() == [created["name"]]


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from contextlib import closing
from tests.emulator.local import Api, Clock
from provisioner.emulator import Emulator
with closing(Emulator(sys.argv[1], clock=Clock())) as emulator:
    api = Api(emulator, Clock())
    for _ in range(20):
        api.create(displayName=sys.argv[2])
"""


def test_programs_write_at_once(tmp_path: Path) -> None:
    """Several programs open, make and fill one file together, and lose nothing."""

    async def write(name: str) -> int:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path / "caches.sqlite"), name
        )
        return await program.wait()

    async def all_writers() -> list[int]:
        return await asyncio.gather(*(write(str(n)) for n in range(4)))

    assert asyncio.run(all_writers()) == [0, 0, 0, 0]
    with emulated(tmp_path / "caches.sqlite") as api:
        listed = api("GET", "cachedContents?pageSize=1000").json()["cachedContents"]
        names = [each["displayName"] for each in listed]
        assert sorted(names) == sorted("0123" * 20)


def test_concurrent_creates_are_all_kept() -> None:
    """Creates that overlap in one program make a cache each."""

    async def scenario(emulator: Emulator) -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(emulator), headers={"x-goog-api-key": "k"}
        ) as client:
            posts = [client.post("http://e/v1/cachedContents", json=cache()) for _ in range(50)]
            answers = await asyncio.gather(*posts)
        assert len({answer.json()["name"] for answer in answers}) == 50

    with closing(Emulator(clock=Clock())) as emulator:
        asyncio.run(scenario(emulator))


def test_pages_are_found_by_key() -> None:
    """A page deep in a large store is searched by key, and not by walking to it."""
    with closing(Store(":memory:")) as store:
        for n in range(3000):
            store.add(Row(id=str(n), model="m", tokens="{}", answer=str(n)), 10**12, 0)

        assert [answer for _, answer in store.page(1001, 2, 0)] == ["999", "998"]
        assert store.page(1, 2, 0) == []


def test_expired_caches_are_forgotten(tmp_path: Path) -> None:
    """A file does not grow with the dead: the next create sweeps them out."""
    path = tmp_path / "caches.sqlite"
    with emulated(path) as api:
        for _ in range(5):
            api.create(ttl="60s")
        api.clock.advance(timedelta(minutes=1))
        api.create()

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM caches").fetchone() == (1,)


def test_no_content_is_kept(tmp_path: Path) -> None:
    """The file holds nothing of what was sent to be cached, and no key."""
    with emulated(tmp_path / "caches.sqlite", api_keys=("hidden-key",)) as api:
        api.headers["x-goog-api-key"] = "hidden-key"
        api.create(systemInstruction={"parts": {"text": "hidden-text"}})
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"cachedContents/" in kept
    assert b"hidden" not in kept
    assert b"word word" not in kept


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """A file that is no database, or another program's, is refused and untouched."""
    text, foreign = tmp_path / "text", tmp_path / "foreign.sqlite"
    text.write_text("hello " * 1000)
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE theirs (x)")
    for path in (text, foreign, tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(StoreUnusable, match=path.name):
            Emulator(path, clock=Clock())

        assert (path.read_bytes() if path.is_file() else b"") == before
