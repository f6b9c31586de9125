"""Terraform's HTTP protocol, spoken to a server of the tests' own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from provisioner.errors import (
    BackendUnreachable,
    StateError,
    StateLocked,
    StateTaken,
    StateUnreadable,
)
from provisioner.storage import Backend, Lock, open_backend
from provisioner.storage.http_backend import HttpBackend
from tests.storage.clock import AT_NOW, with_clock
from tests.storage.conformance import ANN, BOB, NAME, FilesConformance, Open
from tests.storage.terraform_server import Reply, Request, States, terraform_server

pytestmark = pytest.mark.anyio

ME = {"TF_HTTP_USERNAME": "me", "TF_HTTP_PASSWORD": "s3cret"}
ONCE = {"TF_HTTP_RETRY_MAX": "0"}


def at(address: str, environ: Mapping[str, str] = ONCE) -> Backend:
    return open_backend(address, root=Path(), environ=environ, runtime=AT_NOW)


def locked(backend: Backend, who: object = ANN) -> AbstractAsyncContextManager[Lock]:
    assert isinstance(who, type(ANN))
    return backend.lock(NAME, who, timeout=timedelta(), on_wait=lambda *_: None)


class TestConformance(FilesConformance):
    """What every backend promises; bare writes take the lock for themselves."""

    @pytest.fixture
    def open_place(self, server: States) -> Open:
        def open_(clock: Callable[[], datetime]) -> Backend:
            return open_backend(
                server.url + "/states", root=Path(), environ=ONCE, runtime=with_clock(clock)
            )

        return open_

    def test_absent(self, backend: Backend) -> None:
        """A 404 alone may mean a wrong address or no permission."""
        assert backend.read("never.json") is None
        backend.delete("never.json", expected="0")
        with pytest.raises(StateUnreadable, match="404"):
            backend.confirm("never.json")

    @pytest.mark.parametrize("name", ["a/b.json", "a/b/c-d_e.1.json"])
    def test_folders(self, backend: Backend, name: str) -> None:
        """A state is known by its name without the suffix."""
        backend.write(name, b"one", expected=None)
        assert backend.read(name)
        assert backend.read(name.rpartition("/")[2]) is None
        assert backend.where(name).endswith(name.removesuffix(".json"))


async def test_an_empty_answer_is_an_absent_state(server: States, base: str) -> None:
    """A server that answers 204 has said that there is no state."""
    server.before = lambda request: (204, b"", {}) if request.method == "GET" else None
    backend = at(server.url + base)

    assert backend.read(NAME) is None
    backend.confirm(NAME)


async def test_one_holds_it(server: States, base: str) -> None:
    """A lock names its owner, keeps others out, and is gone after its release."""
    backend, other = at(server.url + base), at(server.url + base)
    async with locked(backend) as hold:
        first = hold.write(NAME, b"one", expected=None)
        second = hold.write(NAME, b"two", expected=first)
        with pytest.raises(StateTaken):
            hold.write(NAME, b"three", expected=first)
        assert other.lock_owner(NAME) == ANN
        with pytest.raises(StateLocked, match=r"ann@build.*lock aaa.*ctxprov unlock aaa"):
            await locked(other, BOB).__aenter__()
        assert not hold.is_lost
        assert not hold.took_over
    assert other.lock_owner(NAME) is None
    async with locked(other, BOB):
        pass
    found = other.read(NAME)
    assert found
    assert (found.content, found.version) == (b"two", second)
    assert backend.keeps_history
    assert server.locks == {}


@pytest.mark.heavy
async def test_waits(server: States, base: str) -> None:
    """A waiting run gets the lock after its release."""
    backend = at(server.url + base)
    is_waiting = asyncio.Event()

    async def wait() -> None:
        limit = timedelta(seconds=60)
        async with backend.lock(NAME, BOB, timeout=limit, on_wait=lambda *_: is_waiting.set()):
            pass

    async with locked(backend):
        waiting = asyncio.create_task(wait())
        await is_waiting.wait()
    await waiting


async def test_unlocked(server: States, base: str) -> None:
    """Only its id ends a lock; its former owner writes nothing and releases no other lock."""
    backend, other = at(server.url + base), at(server.url + base)
    async with locked(backend) as lost:
        version = lost.write(NAME, b"one", expected=None)
        with pytest.raises(StateTaken, match="lock aaa"):
            other.unlock(NAME, "ccc")
        other.unlock(NAME, "aaa")
        with pytest.raises(StateTaken, match="it is not locked"):
            other.unlock(NAME, "aaa")
        async with locked(other, BOB) as hold:
            with pytest.raises(StateTaken, match="was ended"):
                lost.write(NAME, b"two", expected=version)
            assert lost.is_lost
            hold.write(NAME, b"three", expected=version)
            assert other.lock_owner(NAME) == BOB
    assert server.locks == {}
    found = backend.read(NAME)
    assert found
    assert found.content == b"three"


def test_what_the_server_keeps(server: States, base: str) -> None:
    """The file is an output of a state in Terraform's own format, whose serial grows."""
    backend = at(server.url + base)
    first = backend.write(NAME, b'{"a": 1}\n', expected=None)
    backend.write(NAME, b'{"a": 2}\n', expected=first)

    [kept] = server.states.values()
    one, two = map(json.loads, kept)
    assert two["outputs"] == {"ctxprov": {"value": '{"a": 2}\n', "type": "string"}}
    assert (one["serial"], two["serial"]) == (1, 2)
    assert one["lineage"] == two["lineage"]


def test_a_foreign_state(server: States, base: str) -> None:
    """The state of a Terraform is neither read nor written over."""
    backend = at(server.url + base)
    theirs = json.dumps(
        {"version": 4, "serial": 7, "lineage": "x", "outputs": {}, "resources": [{"type": "vm"}]}
    ).encode()
    server.states[f"{base}/demo"] = [theirs]

    with pytest.raises(StateError, match="state of a Terraform"):
        backend.read(NAME)
    with pytest.raises(StateError, match="state of a Terraform"):
        backend.write(NAME, b"x", expected=None)

    assert server.states[f"{base}/demo"] == [theirs]
    assert server.locks == {}


def test_credentials(server: States, base: str) -> None:
    """Each request carries the credentials; the error for missing or wrong ones says what to do."""
    server.users["me"] = "s3cret"
    right = at(server.url + base, ME)
    right.write(NAME, b"one", expected=None)

    assert right.read(NAME)
    with pytest.raises(StateError, match=r"401.*Set TF_HTTP_USERNAME and TF_HTTP_PASSWORD"):
        at(server.url + base).read(NAME)
    with pytest.raises(StateError, match=r"401.*Look at TF_HTTP_USERNAME") as caught:
        at(server.url + base, ME | {"TF_HTTP_PASSWORD": "wr0ng"}).read(NAME)
    assert "wr0ng" not in str(caught.value)
    assert "s3cret" not in repr(right)


@pytest.mark.parametrize(
    ("reply", "error", "why"),
    [
        ((403, b"may not", {}), StateUnreadable, "lacks the permission"),
        ((200, b"<html>sign in", {"content-type": "text/html"}), StateError, "page for people"),
        ((302, b"", {"location": "https://else.example/"}), StateError, r"else\.example"),
        ((418, b"tea\npot", {}), StateError, "418: tea pot"),
        ((503, b"later", {}), BackendUnreachable, "503: later"),
        ((429, b"slowly", {}), BackendUnreachable, "429: slowly"),
        ((0, b"", {}), BackendUnreachable, "cannot be reached"),
        ((200, b'{"version": 4', {}), StateError, "not the whole of it"),
        (
            (200, b"torn", {"content-length": "400", "connection": "close"}),
            BackendUnreachable,
            "cannot be reached",
        ),
        ((200, b"", {"content-encoding": "gzip"}), StateError, "encoding that was not asked for"),
    ],
)
def test_answers_that_are_none(
    server: States, reply: Reply, error: type[StateError], why: str
) -> None:
    """Every failure says what a person must do, or that it may pass."""
    server.before = lambda _: reply

    with pytest.raises(error, match=why) as caught:
        at(server.url + "/states", ME | ONCE).read(NAME)

    assert type(caught.value) is error
    assert "s3cret" not in str(caught.value)


def test_an_echoed_secret(server: States) -> None:
    """A server that repeats the password does not make us show it."""
    server.before = lambda _: (400, b"no such thing as s3cret", {})

    with pytest.raises(StateError, match=r"no such thing as \*\*\*"):
        at(server.url + "/states", ME).read(NAME)


def test_a_huge_answer(server: States) -> None:
    """An answer that does not end is not read to its end."""
    server.before = lambda _: (200, b" " * 5000, {})
    backend = at(server.url + "/states")
    assert isinstance(backend, HttpBackend)

    with pytest.raises(StateError, match="at most 4,000 are read"):
        replace(backend, server=replace(backend.server, largest=4000)).read(NAME)


def test_server_gone() -> None:
    with terraform_server() as states:
        url = states.url
    with pytest.raises(BackendUnreachable, match="127"):
        at(url).read(NAME)


def test_asks_again(server: States) -> None:
    """What may pass is asked again as often as Terraform would."""
    failures: Iterator[Reply] = iter([(503, b"", {}), (503, b"", {})])
    server.before = lambda _: next(failures, None)
    retries = {"TF_HTTP_RETRY_MAX": "2", "TF_HTTP_RETRY_WAIT_MIN": "0"}

    assert at(server.url + "/states", retries).read(NAME) is None


@pytest.mark.parametrize("status", [0, 502])
def test_a_lost_answer_to_a_write(server: States, base: str, status: int) -> None:
    """A write whose answer was lost is looked up, and not made twice."""
    lost: list[Request] = []

    def lose(request: Request) -> Reply | None:
        if lost or request.method != "POST" or b'"outputs"' not in request.body:
            return None
        lost.append(request)
        return status, b"", {}

    server.after = lose
    backend = at(server.url + base)
    version = backend.write(NAME, b"one", expected=None)

    assert lost
    found = backend.read(NAME)
    assert found
    assert found.version == version
    assert [len(kept) for kept in server.states.values()] == [1]


@pytest.mark.parametrize("status", [0, 502])
def test_two_writes_without_an_answer(server: States, base: str, status: int) -> None:
    """A write that no try had an answer to is looked up before it is called a failure."""
    tries: list[Request] = []

    def lose(request: Request) -> Reply | None:
        if request.method != "POST" or b'"outputs"' not in request.body:
            return None
        tries.append(request)
        return status, b"", {}

    server.before = lambda request: None if tries else lose(request)
    server.after = lose
    backend = at(server.url + base)

    version = backend.write(NAME, b"one", expected=None)

    found = backend.read(NAME)
    assert found
    assert (found.content, found.version) == (b"one", version)


@pytest.mark.parametrize("status", [400, 409])
def test_a_write_that_arrives_late(server: States, base: str, status: int) -> None:
    """A second try that is refused because the first was done after all is no failure."""
    tries: list[Request] = []

    def refuse(request: Request) -> Reply | None:
        if request.method != "POST" or b'"outputs"' not in request.body:
            return None
        tries.append(request)
        return (502, b"", {}) if len(tries) == 1 else None

    def arrive(request: Request) -> Reply | None:
        is_again = len(tries) == 2 and request is tries[1]
        return (status, b"it has that serial", {}) if is_again else None

    server.before, server.after = refuse, arrive
    backend = at(server.url + base)

    version = backend.write(NAME, b"one", expected=None)

    found = backend.read(NAME)
    assert found
    assert found.version == version


def test_a_write_that_never_arrives(server: States, base: str) -> None:
    """A write that is not there when it is looked up has failed."""
    server.before = lambda request: (502, b"", {}) if b'"outputs"' in request.body else None

    with pytest.raises(BackendUnreachable, match="502"):
        at(server.url + base).write(NAME, b"one", expected=None)

    assert server.states == {}
