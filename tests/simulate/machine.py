"""
What a process of a simulated world has in place of a real machine: ports, files and connections.

Decides which model a call reaches, and what a lost or refused call looks like to the code that
made it.  Here, and nowhere else in the models, `provisioner` meets the world: everything below
speaks in bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

import httpx
from msgspec import Struct, field

from provisioner.errors import Problem
from provisioner.operations.session import Console, Ports
from provisioner.runtime import Runtime
from provisioner.storage import Backend, OpenBackend, StoredFile, conflict
from provisioner.storage.http_backend import HttpBackend
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.network import BucketAddress, ProbingFiles, unreachable
from provisioner.storage.state_server import server_at
from tests.simulate.fate import Verb
from tests.simulate.log import EPOCH, Log, RequestAnswered
from tests.simulate.process import Answered, Lost, Process
from tests.simulate.provider import Provider
from tests.simulate.stores import Conflict, FileStore, StateServer
from tests.simulate.wire import WireReply, WireRequest, provider_call, server_call

_Answer = TypeVar("_Answer")

_GRANT = "Give credentials that may read and write there."


class World(Struct, kw_only=True):
    """What processes reach; names are those of projects, buckets and hosts."""

    log: Log
    now: Callable[[], float]
    """Virtual seconds."""
    providers: Mapping[str, Provider]
    stores: Mapping[str, FileStore] = {}
    servers: Mapping[str, StateServer] = {}
    requests: Iterator[int] = field(default_factory=lambda: count(1))
    """Numbers for requests: no other has the same."""

    def provider_of(self, key: str) -> Provider:
        """The project of *key*; any of them refuses a key that is none."""
        providers = [*self.providers.values()]
        return next((provider for provider in providers if provider.key == key), providers[0])


# --- files ---------------------------------------------------------------------------------------


class StoreFiles:
    """A bucket's files, as one process reaches them."""

    def __init__(self, process: Process, store: FileStore, address: BucketAddress) -> None:
        self._process = process
        self._store = store
        self._address = address

    def where(self, name: str) -> str:
        return self._address.where(name)

    def read(self, name: str) -> StoredFile | None:
        run, file = self._process.run, self._file(name)
        stored = self._call(Verb.READ, name, lambda: self._store.read(run, file))
        return StoredFile(content=stored.content, version=stored.version) if stored else None

    def confirm(self, name: str) -> None:
        self._call(Verb.READ, name, lambda: None)

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        run, file = self._process.run, self._file(name)
        return self._call(Verb.WRITE, name, lambda: self._store.write(run, file, content, expected))

    def delete(self, name: str, *, expected: str) -> None:
        run, file = self._process.run, self._file(name)
        self._call(Verb.REMOVE, name, lambda: self._store.remove(run, file, expected))

    def _file(self, name: str) -> str:
        return f"{self._address.prefix}{name}"

    def _call(self, verb: Verb, name: str, effect: Callable[[], _Answer]) -> _Answer:
        """Raises StateError."""
        try:
            return self._process.call(verb, self._store.name, self._file(name), effect)
        except Conflict:
            raise conflict(self.where(name)) from None
        except Lost:
            raise unreachable(self.where(name), "the connection broke") from None
        except Answered as answered:
            reason = f"status {answered.status}"
            raise self._address.refusal(name, answered.status, reason, grant=_GRANT) from None


def open_backend_of(process: Process, world: World) -> OpenBackend:
    """Open `s3://STORE/PREFIX` and `https://SERVER/PATH` of *world* for *process*."""

    def open_backend(
        address: str,
        *,
        root: Path,
        environ: Mapping[str, str],
        runtime: Runtime,
        top: Path | None = None,
    ) -> Backend:
        del root, top
        match address.partition("://")[0]:
            case "s3":
                bucket = BucketAddress.parse(address)
                files = StoreFiles(process, world.stores[bucket.bucket], bucket)
                return LeaseBackend(ProbingFiles(files, runtime), runtime=runtime)
            case "https":
                transport = ServerTransport(process, world)
                return HttpBackend(server_at(address, environ, runtime, transport), environ)
            case _:
                raise ValueError(f"{address} is in no simulated world: use s3:// or https://")

    return open_backend


# --- connections ---------------------------------------------------------------------------------


class Endpoint(Protocol):
    """A model that answers requests."""

    def handle(self, request: WireRequest) -> WireReply: ...
    def fail(self, status: int) -> WireReply: ...


class Exchange:
    """One request of a process, and how it ended for it."""

    def __init__(
        self, process: Process, world: World, endpoint: Endpoint, request: WireRequest
    ) -> None:
        self._process = process
        self._world = world
        self._endpoint = endpoint
        self._request = request
        self._status = 0

    def effect(self) -> WireReply:
        """What happens at the other end."""
        reply = self._endpoint.handle(self._request)
        self._status = reply.status
        return reply

    @contextmanager
    def losses(self) -> Iterator[None]:
        """Raise what an HTTP library raises where a connection broke.  A kill leaves no trace."""
        try:
            yield
        except Lost:
            self._note(is_delivered=False)
            raise httpx.ReadError("the connection broke") from None
        except asyncio.CancelledError:
            self._note(is_delivered=False)
            raise

    def refuse(self, status: int) -> WireReply:
        """The answer of something on the way."""
        self._status = status
        return self._endpoint.fail(status)

    def deliver(self, reply: WireReply) -> httpx.Response:
        """The answer as it arrives."""
        self._note(is_delivered=True)
        stream = httpx.ByteStream(reply.body)
        return httpx.Response(reply.status, headers=dict(reply.headers), stream=stream)

    def _note(self, *, is_delivered: bool) -> None:
        self._world.log.add(
            RequestAnswered(
                at=self._world.now(),
                request=self._request.number,
                run=self._request.run,
                method=self._request.method,
                path=self._request.path,
                status=self._status,
                is_delivered=is_delivered,
            )
        )


class ProviderTransport(httpx.AsyncBaseTransport):
    """A process's connections to the provider; the key leads to its project."""

    def __init__(self, process: Process, world: World) -> None:
        self._process = process
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ReadError."""
        wire = wire_request(request, await request.aread(), self._process, self._world)
        provider = self._world.provider_of(wire.headers.get("x-goog-api-key", ""))
        verb, cache = provider_call(wire)
        exchange = Exchange(self._process, self._world, provider, wire)
        with exchange.losses():
            try:
                reply = await self._process.acall(verb, provider.name, cache, exchange.effect)
            except Answered as answered:
                reply = exchange.refuse(answered.status)
        return exchange.deliver(reply)


class ServerTransport(httpx.BaseTransport):
    """A process's connections to servers of states, which block."""

    def __init__(self, process: Process, world: World) -> None:
        self._process = process
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ReadError."""
        wire = wire_request(request, request.read(), self._process, self._world)
        server = self._world.servers[request.url.host]
        verb, file = server_call(wire)
        exchange = Exchange(self._process, self._world, server, wire)
        with exchange.losses():
            try:
                reply = self._process.call(verb, server.name, file, exchange.effect)
            except Answered as answered:
                reply = exchange.refuse(answered.status)
        return exchange.deliver(reply)


def wire_request(
    request: httpx.Request, body: bytes, process: Process, world: World
) -> WireRequest:
    """What *process* sends, with a number of its own."""
    return WireRequest(
        method=request.method,
        path=request.url.path,
        query=dict(request.url.params.items()),
        headers=dict(request.headers.items()),
        body=body,
        run=process.run,
        number=next(world.requests),
    )


# --- ports ---------------------------------------------------------------------------------------


def ports_of(
    process: Process,
    world: World,
    *,
    environ: Mapping[str, str],
    folder: Path,
    console: Console | None = None,
) -> Ports:
    """Everything that an operation gets of the world, for one process; chance is the seed's."""
    chance, tokens = (Random(process.scheduler.random()) for _ in range(2))  # noqa: S311  # a seed

    def now() -> datetime:
        return EPOCH + timedelta(seconds=process.wall())

    def token(size: int) -> str:
        return tokens.randbytes(size).hex()

    return Ports(
        now=now,
        monotonic=process.monotonic,
        boot_seconds=process.boot,
        sleep=process.sleep,
        pause=process.pause,
        random=chance,
        token=token,
        in_thread=process.in_thread,
        lock=process.lock,
        user=lambda: f"ci@{process.runner}",
        pid=lambda: 1,
        environ=environ,
        folder=folder,
        read=process.in_thread,
        console=console or console_of([]),
        listen=process.listen,
        open_backend=open_backend_of(process, world),
    )


def console_of(lines: list[str], *, answer: bool | None = None) -> Console:
    """A console that writes to *lines*; its person gives this *answer*, or is not there."""

    async def confirm(question: str) -> bool:
        lines.append(question)
        return bool(answer)

    def advise(problems: Sequence[Problem]) -> None:
        lines.extend(map(str, problems))

    return Console(
        report=lines.append,
        note=lines.append,
        warn=lines.append,
        advise=advise,
        confirm=confirm,
        is_interactive=lambda: answer is not None,
        waiting=lambda: lambda *_: None,
    )
