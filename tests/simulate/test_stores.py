"""The models of stores: what they keep, what befalls it, and their twins."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest

from provisioner.errors import StateTaken
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend
from tests.simulate.log import (
    FileDeleted,
    FileRead,
    FileWritten,
    LockChanged,
    Log,
    WriteRefused,
)
from tests.simulate.stores import Conflict, FileStore, FileVersion, StateServer
from tests.simulate.wire import WireReply, WireRequest
from tests.storage.terraform_server import Request, States

FILE = "demo.json"
STATE = "states/demo"
ANN = {"ID": "aaa", "Who": "ann@build", "Operation": "apply", "Created": "2027-01-20T12:00:00Z"}
BOB = {**ANN, "ID": "bbb", "Who": "bob@laptop"}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def store(log: Log) -> FileStore:
    return FileStore("bucket", log, lambda: 5.0, Random(1))  # noqa: S311  # a seed


@pytest.fixture
def server(log: Log) -> StateServer:
    return StateServer("states", log, lambda: 5.0, Random(1))  # noqa: S311  # a seed


def state(serial: int, text: str = "") -> bytes:
    return json.dumps(
        {
            "version": 4,
            "terraform_version": "1.0.0",
            "serial": serial,
            "lineage": "line",
            "outputs": {"ctxprov": {"value": text, "type": "string"}},
            "resources": [],
        }
    ).encode()


def ask(
    server: StateServer, method: str, body: object = b"", *, path: str = STATE, lock: str = ""
) -> WireReply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = {"ID": lock} if lock else {}
    return server.handle(
        WireRequest(method=method, path=f"/{path}", query=query, body=content, run=3)
    )


# --- files ---------------------------------------------------------------------------------------


def test_a_write_is_accepted_on_its_condition(store: FileStore, log: Log) -> None:
    """A file is made once and replaced if unchanged; each step stands in the log."""
    first = store.write(3, FILE, b"one", None)
    second = store.write(4, FILE, b"two", first)
    with pytest.raises(Conflict) as conflict:
        store.write(3, FILE, b"three", first)
    assert store.read(3, FILE) == FileVersion(b"two", second)
    store.remove(4, FILE, second)
    store.remove(4, FILE, second)

    assert conflict.value.version == second
    assert store.read(3, FILE) is None
    changed = partial(FileWritten, at=5.0, store="bucket", file=FILE)
    read = partial(FileRead, at=5.0, run=3, store="bucket", file=FILE)
    assert log.events == [
        changed(run=3, replaced=None, version=first, content=b"one"),
        changed(run=4, replaced=first, version=second, content=b"two"),
        WriteRefused(at=5.0, run=3, store="bucket", file=FILE, expected=first, version=second),
        read(version=second),
        FileDeleted(at=5.0, run=4, store="bucket", file=FILE, version=second),
        read(version=None),
    ]


def test_versions_never_repeat_unless_they_name_the_content(log: Log) -> None:
    """Equal content has a new version each time; where a version is a hash, the same."""
    plain = FileStore("plain", log, lambda: 0.0, Random(1))  # noqa: S311  # a seed
    hashing = FileStore("hashing", log, lambda: 0.0, Random(1), is_etag=True)  # noqa: S311  # a seed
    for store, is_equal in ((plain, False), (hashing, True)):
        first = store.write(1, FILE, b"one", None)
        second = store.write(1, FILE, b"two", first)
        third = store.write(1, FILE, b"one", second)
        assert (first == third) is is_equal


def test_what_befalls_a_file_is_the_work_of_no_run(store: FileStore, log: Log) -> None:
    """It is torn, rolled back to an accepted content, lost, and rolled back from nothing."""
    assert not store.lose(FILE)
    assert not store.tear(FILE)
    assert not store.roll_back(FILE)
    version = store.write(3, FILE, b"one.", None)
    store.write(3, FILE, b"two.", version)
    contents = []
    for befall in (store.tear, store.roll_back, store.lose, store.roll_back):
        assert befall(FILE)
        current = store.current(FILE)
        contents.append(current.content if current else None)

    assert contents[0] == b"tw"
    assert contents[1] in {b"one.", b"two."}
    assert contents[2] is None
    assert contents[3] in {b"one.", b"two."}
    runs = [event.run for event in log.events if isinstance(event, FileWritten | FileDeleted)]
    assert runs == [3, 3, 0, 0, 0, 0]


def test_a_store_may_ignore_conditions(store: FileStore) -> None:
    """Then any write is accepted, and any delete."""
    store.ignores_conditions = True
    store.write(3, FILE, b"one", "never")
    store.write(3, FILE, b"two", None)
    store.remove(3, FILE, "never")
    assert store.names() == []


@pytest.mark.parametrize("seed", range(10))
def test_a_folder_agrees(seed: int, tmp_path: Path, log: Log) -> None:
    """The same reads, writes and deletes succeed and fail in a folder, with the same contents."""
    random = Random(seed)  # noqa: S311  # a seed
    store = FileStore("bucket", log, lambda: 0.0, random, is_etag=True)
    folder = LocalBackend(tmp_path, SYSTEM)
    versions: dict[str, tuple[str | None, str | None]] = {}

    for number in range(60):
        file = random.choice(("a.json", "b/c.json"))
        mine, twin = versions.get(file, (None, None))
        if random.random() < 0.3:
            mine, twin = random.choice((("stale", "stale"), (None, None)))
        content = f"{number}".encode()
        match random.choice(("write", "write", "delete", "read")):
            case "write":
                outcomes = _wrote(store, file, content, mine), _put(folder, file, content, twin)
            case "delete":
                outcomes = _removed(store, file, mine), _deleted(folder, file, twin)
            case _:
                outcomes = None, None
        assert [outcome is None for outcome in outcomes] in ([True, True], [False, False])
        kept, read = store.read(1, file), folder.read(file)
        assert (kept.content if kept else None) == (read.content if read else None)
        versions[file] = (kept.version if kept else None, read.version if read else None)


def _wrote(store: FileStore, file: str, content: bytes, expected: str | None) -> str | None:
    try:
        return store.write(1, file, content, expected)
    except Conflict:
        return None


def _put(folder: LocalBackend, file: str, content: bytes, expected: str | None) -> str | None:
    try:
        return folder.write(file, content, expected=expected)
    except StateTaken:
        return None


def _removed(store: FileStore, file: str, expected: str | None) -> str | None:
    try:
        store.remove(1, file, expected or "stale")
    except Conflict:
        return None
    return "gone"


def _deleted(folder: LocalBackend, file: str, expected: str | None) -> str | None:
    try:
        folder.delete(file, expected=expected or "stale")
    except StateTaken:
        return None
    return "gone"


# --- states --------------------------------------------------------------------------------------


def test_the_owner_of_the_lock_writes_alone(server: StateServer, log: Log) -> None:
    """Another id is refused with the owner, none as well, and the log has each change."""
    assert ask(server, "LOCK", ANN).status == 200
    assert ask(server, "POST", state(1), lock="aaa").status == 200
    refused = [
        ask(server, "POST", state(2), lock="bbb"),
        ask(server, "POST", state(2)),
        ask(server, "LOCK", BOB),
        ask(server, "DELETE", lock="bbb"),
    ]
    assert [(reply.status, json.loads(reply.body)["ID"]) for reply in refused] == [(423, "aaa")] * 4
    assert ask(server, "UNLOCK", BOB).status == 409
    assert ask(server, "UNLOCK", ANN).status == 200
    assert ask(server, "GET").body == state(1)
    assert [event.owner for event in log.events if isinstance(event, LockChanged)] == ["aaa", None]


def test_a_person_ends_a_lock(server: StateServer, log: Log) -> None:
    """Then its owner may write no more, and the log has it as the work of no run."""
    ask(server, "LOCK", ANN)
    assert server.lock_of(STATE) == "aaa"
    assert server.end_lock(STATE)
    assert not server.end_lock(STATE)
    assert ask(server, "POST", state(1), lock="aaa").status == 423
    change = log.events[-1]
    assert isinstance(change, LockChanged)
    assert (change.run, change.owner) == (0, None)


def test_a_server_takes_whole_states_alone(server: StateServer) -> None:
    """A body that is no state, or not the one that its MD5 names, changes nothing."""
    assert ask(server, "POST", b"{").status == 400
    assert ask(server, "POST", {"version": 4}).status == 400
    torn = WireRequest(
        method="POST", path=f"/{STATE}", headers={"content-md5": "other"}, body=state(1), run=3
    )
    assert server.handle(torn).status == 400
    assert server.names() == []


def test_gitlab_repeats_who_asks(log: Log) -> None:
    """Of a lock it keeps id and time alone, and a state that was only locked has no content."""
    server = StateServer("gitlab", log, lambda: 5.0, Random(1), is_gitlab=True)  # noqa: S311  # a seed
    assert ask(server, "GET").status == 404
    assert ask(server, "POST", ANN, path=f"{STATE}/lock").status == 200
    refused = ask(server, "POST", BOB, path=f"{STATE}/lock")

    assert refused.status == 409
    assert json.loads(refused.body) == {**BOB, "ID": "aaa", "Who": "the-user"}
    assert ask(server, "GET").status == 204


@pytest.mark.parametrize("is_gitlab", [False, True], ids=["terraform", "gitlab"])
@pytest.mark.parametrize("seed", range(10))
def test_the_stand_in_of_the_storage_tests_agrees(seed: int, log: Log, *, is_gitlab: bool) -> None:
    """A recorded sequence has the same statuses, states and owners in both, in each answer."""
    server = StateServer("states", log, lambda: 5.0, Random(1), is_gitlab=is_gitlab)  # noqa: S311  # a seed
    states = States(echoes=is_gitlab)

    for request in recorded(seed):
        mine = server.handle(request)
        query = f"?{urlencode(request.query)}" if request.query else ""
        status, body, _ = states.answer(
            Request(request.method, request.path + query, request.body, dict(request.headers))
        )
        assert mine.status == status, request
        if status in {200, 409, 423}:
            assert mine.body == body or json.loads(mine.body) == json.loads(body), request


def recorded(seed: int) -> Iterator[WireRequest]:
    """Locks, writes, reads and deletes of two states by two runs, with and without locks."""
    random = Random(seed)  # noqa: S311  # a seed
    for serial in range(1, 60):
        path = random.choice(("/states/demo", "/states/other"))
        who = random.choice((ANN, BOB))
        lock = random.choice(({"ID": who["ID"]}, {"ID": who["ID"]}, {}))
        match random.choice(("LOCK", "UNLOCK", "POST", "POST", "GET", "DELETE", "below")):
            case ("LOCK" | "UNLOCK") as method:
                yield _sent(method, path, json.dumps(who).encode())
            case "below":
                method = random.choice(("POST", "DELETE"))
                yield _sent(method, f"{path}/lock", json.dumps(who).encode())
            case "POST":
                body = random.choice((state(serial), state(serial), state(0), b"[]"))
                yield _sent("POST", path, body, lock)
            case method:
                yield _sent(method, path, b"", {} if method == "GET" else lock)


def _sent(method: str, path: str, body: bytes, query: dict[str, str] | None = None) -> WireRequest:
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return WireRequest(
        method=method,
        path=path,
        query=query or {},
        headers={"content-md5": digest} if body else {},
        body=body,
        run=3,
    )
