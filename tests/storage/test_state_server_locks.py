"""The locks of a server of Terraform states, with every answer and without one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from provisioner.errors import BackendUnreachable, StateError, StateLocked, StateTaken
from provisioner.escape import plain
from provisioner.storage.lock_owner import lock_owner_bytes
from tests.storage.conformance import BOB, NAME
from tests.storage.terraform_server import Reply, Request, States, locked_by
from tests.storage.test_http_backend import ONCE, at, locked

pytestmark = pytest.mark.anyio

NOW_AND_AGAIN = {"TF_HTTP_RETRY_MAX": "2", "TF_HTTP_RETRY_WAIT_MIN": "0"}


def losing(*methods: str) -> Callable[[Request], Reply | None]:
    """Answer nothing but an error of a server in between."""
    return lambda request: (502, b"", {}) if request.method in methods else None


async def test_a_lost_answer_to_a_lock(server: States, base: str) -> None:
    """A lock whose answer was lost is known again by its id."""
    lost: list[Request] = []

    def lose(request: Request) -> Reply | None:
        if lost or request.method not in {"LOCK", "POST"}:
            return None
        lost.append(request)
        return 502, b"", {}

    server.after = lose
    backend = at(server.url + base, {"TF_HTTP_RETRY_WAIT_MIN": "0"})

    async with locked(backend) as hold:
        hold.write(NAME, b"one", expected=None)

    assert lost
    assert server.locks == {}


@pytest.mark.parametrize("environ", [ONCE, NOW_AND_AGAIN], ids=["one try", "three"])
async def test_a_lock_without_an_answer(
    server: States, base: str, environ: Mapping[str, str]
) -> None:
    """A run releases at once a lock that may have been made although its answer was lost."""
    server.after = losing("LOCK", "POST")
    backend = at(server.url + base, environ)

    with pytest.raises(BackendUnreachable, match="502"):
        await locked(backend).__aenter__()
    with pytest.raises(BackendUnreachable, match="502"):
        backend.write(NAME, b"one", expected=None)
    with pytest.raises(BackendUnreachable, match="502"):
        backend.lock_owner(NAME)

    assert server.locks == {}


async def test_a_lock_without_an_answer_that_stays(server: States, base: str) -> None:
    """The error of a run that cannot release its possible lock says how to end it."""
    server.after = losing("LOCK", "POST")
    server.before = losing("UNLOCK", "DELETE")

    with pytest.raises(BackendUnreachable, match=r"502.*ctxprov unlock aaa"):
        await locked(at(server.url + base)).__aenter__()

    assert [lock["ID"] for lock in server.locks.values()] == ["aaa"]


async def test_no_answer_about_the_lock_of_another(server: States, base: str) -> None:
    """A run without an answer ends no lock of another."""
    async with locked(at(server.url + base)):
        server.after = losing("LOCK", "POST")
        with pytest.raises(BackendUnreachable, match="502"):
            await locked(at(server.url + base), BOB).__aenter__()
        server.after = lambda _: None
        assert [lock["ID"] for lock in server.locks.values()] == ["aaa"]


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_nameless_owner_after_a_lost_answer(
    server: States, base: str, *, is_ours: bool
) -> None:
    """A run releases a lock that may be its own; the lock of another stays and is named."""
    answers: Iterator[Reply] = iter([(502, b"", {}), (423, b"", {})])
    server.after = lambda request: (
        next(answers, None) if request.method in {"LOCK", "POST"} else None
    )
    if not is_ours:
        server.locks[f"{base}/demo"] = locked_by(BOB)

    with pytest.raises(BackendUnreachable if is_ours else StateLocked):
        await locked(at(server.url + base, NOW_AND_AGAIN)).__aenter__()

    assert [lock["ID"] for lock in server.locks.values()] == ([] if is_ours else ["bbb"])


async def test_a_lock_that_stays(server: States, base: str) -> None:
    """The error of a run that cannot release its lock says how to end it."""

    def fail(request: Request) -> Reply | None:
        return (503, b"", {}) if request.method in {"UNLOCK", "DELETE"} else None

    server.before = fail
    with pytest.raises(BackendUnreachable, match="ctxprov unlock aaa"):
        async with locked(at(server.url + base)):
            pass


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_no_locks(server: States, status: int) -> None:
    """A server without locks is refused, with what to set."""
    server.before = lambda request: (status, b"", {}) if request.method == "LOCK" else None

    with pytest.raises(StateError, match="CTXPROV_HTTP_LOCK_ADDRESS"):
        await locked(at(server.url + "/states")).__aenter__()


@pytest.mark.parametrize("status", [409, 423])
@pytest.mark.parametrize(
    ("info", "told"),
    [
        (
            {
                "ID": "5-\x1b[31m",
                "Operation": "OperationTypeApply",
                "Info": "",
                "Who": "eve@\u202eevil\n::error::x",
                "Version": "1.15.0",
                "Created": "2026-01-01T00:00:00.123456789Z",
                "Path": "",
            },
            r"eve@\u202eevil\n\x3a\x3aerror\x3a\x3ax (OperationTypeApply) since 2026-01-01T",
        ),
        ({"ID": "6", "Created": "never"}, "a run that the server does not name, lock 6, holds it"),
        ({"message": "it is locked"}, "a run that the server does not name"),
        ([], "a run that the server does not name"),
    ],
)
async def test_what_a_lock_says(server: States, info: object, told: str, status: int) -> None:
    """The error names the lock of a Terraform; its text is shown escaped."""
    server.before = lambda _: (status, json.dumps(info).encode(), {})

    with pytest.raises(StateLocked) as caught:
        await locked(at(server.url + "/states")).__aenter__()

    assert told in plain(str(caught.value))
    assert plain(str(caught.value)).isprintable()


@pytest.mark.parametrize("status", [409, 423])
@pytest.mark.parametrize(
    ("body", "id_"),
    [
        (b'{"ID": "6", "Who": "eve", "Operation": "apply", "Created": "never"}', "6"),
        (b'{"ID": "6"}', "6"),
        (b'{"ID": null, "Info": null}', ""),
        (b"locked", ""),
        (b"", ""),
    ],
)
def test_locked_without_an_owner(server: States, body: bytes, id_: str, status: int) -> None:
    """A state is held if the server says so, however little it tells of the owner."""
    server.before = lambda _: (status, body, {})

    owner = at(server.url + "/states").lock_owner(NAME)

    assert owner
    assert owner.id == id_
    assert "since" not in str(owner)
    assert json.loads(lock_owner_bytes(owner))["since"] is None


@pytest.mark.parametrize("status", [404, 409, 423])
def test_an_end_that_is_refused(server: States, base: str, status: int) -> None:
    """Nothing is ended that the server does not end."""

    def tell_nothing(request: Request) -> Reply | None:
        asked = {"LOCK": 423, "UNLOCK": status, "POST": 423, "DELETE": status}
        return asked[request.method], b"", {}

    server.after = tell_nothing
    server.locks[f"{base}/demo"] = locked_by(BOB)

    with pytest.raises(StateTaken, match="no lock ccc: a run that the server does not name"):
        at(server.url + base).unlock(NAME, "ccc")

    assert server.locks


def test_an_end_whose_answer_was_lost(server: States, base: str) -> None:
    """A lock that an earlier try ended is ended, though the server knows it no more."""
    answers: Iterator[Reply] = iter([(502, b"", {})])
    server.after = lambda request: (
        next(answers, None) if request.method in {"UNLOCK", "DELETE"} else None
    )
    server.locks[f"{base}/demo"] = locked_by(BOB)

    at(server.url + base, NOW_AND_AGAIN).unlock(NAME, "bbb")

    assert server.locks == {}


async def test_locks_elsewhere(server: States) -> None:
    """Locks may live at another address, for every state its own."""
    elsewhere = {
        "CTXPROV_HTTP_LOCK_ADDRESS": f"{server.url}/locks/{{name}}",
        "TF_HTTP_LOCK_ADDRESS": f"{server.url}/the-one-state-of-a-terraform",
    }
    async with locked(at(server.url + "/states", elsewhere)):
        assert list(server.locks) == ["/locks/demo"]
