"""The server as an ASGI application: a request comes in, is routed, checked, and answered.

It decides the order: route, faults, key, query, verb. What a verb does is decided in `caches` and
`generation`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from hmac import compare_digest
from pathlib import Path
from typing import Final, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from provisioner.emulator.caches import Caches
from provisioner.emulator.calls import Call, route
from provisioner.emulator.errors import JSON, Refusal, bad_api_key, missing_api_key, no_such_page
from provisioner.emulator.generation import Generation
from provisioner.emulator.store import Store

CarryOut: TypeAlias = Callable[[], Awaitable[Response]]
Faults: TypeAlias = Callable[[Call, CarryOut], Awaitable[Response]]

_PAYLOAD_LIMIT: Final = 100 * 1024 * 1024


class Emulator:
    """Gemini's `cachedContents` API: serve it, or hand it to an in-process transport.

    *store* is a SQLite file (made when missing, shared at will) or `:memory:`. *clock* returns the
    aware present. A call needs a key, any key unless *api_keys* names some. *min_tokens* overrides
    the models' smallest cache.

    *faults* stands around every call and returns its answer: `return await carry_out()` is
    faultless, an answer without `carry_out()` means it was never done, another answer after it
    means it was done and the answer was lost, and awaiting anything makes it slow. Raise a
    `Refusal` for an error in Google's envelope; return `Broken()` to cut a socket in the middle
    of an answer. Any other exception leaves the application as it is, so that over an in-process
    transport a test raises its client's own error for a lost answer.

    Every answer has a Date by *clock*, unless it brings its own.

    `requests` counts the calls that arrived, by operation.
    """

    def __init__(
        self,
        store: str | Path = ":memory:",
        *,
        clock: Callable[[], datetime],
        api_keys: Collection[str] = (),
        min_tokens: int | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Raises StoreUnusable."""
        self.requests: Counter[str] = Counter()
        self._clock = clock
        self._store = Store(store)
        caches = Caches(self._store, clock=clock, min_tokens=min_tokens)
        self._verbs = caches.verbs | Generation(caches).verbs
        self._keys = tuple(key.encode() for key in api_keys)
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"this application speaks HTTP, not {scope['type']}")
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return  # a client that broke off in the middle of its request waits for no answer
        response.headers.setdefault("date", format_datetime(self._clock(), usegmt=True))
        await response(scope, receive, send)

    def close(self) -> None:
        self._store.close()

    async def _respond(self, request: Request) -> Response:
        try:
            call = await _call(request)
            self.requests[call.operation] += 1
            carry_out = partial(self._done, call)
            return await (self._faults(call, carry_out) if self._faults else carry_out())
        except Refusal as refusal:
            return refusal.answer()

    async def _done(self, call: Call) -> Response:
        try:
            return self._carry_out(call)
        except Refusal as refusal:
            return refusal.answer()

    def _carry_out(self, call: Call) -> Response:
        verb = self._verbs.get(call.operation)
        if verb is None:
            return no_such_page()
        self._check_key(call)
        call.check_query()
        try:
            return Response(verb(call), media_type=JSON)
        except sqlite3.Error as error:
            raise Refusal(503, f"The service is currently unavailable: {error}") from error

    def _check_key(self, call: Call) -> None:
        sent = [key.encode() for key in call.api_keys]
        if not sent:
            raise missing_api_key()
        accepted = [compare_digest(key, ours) for key in sent for ours in self._keys]
        if self._keys and not any(accepted):
            raise bad_api_key()


class Broken(Response):
    """A fault: the connection breaks after half an answer. Needs a real socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Return early: a server closes a connection whose promised length was not kept."""
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"na', "more_body": True})


async def _call(request: Request) -> Call:
    """Read it all, but keep no more than the limit. Raises Refusal."""
    path = request.scope["path"]
    operation, version, name = route(request.method, path)
    return Call(
        operation=operation,
        method=request.method,
        path=path,
        version=version,
        name=name,
        query=request.query_params,
        headers=request.headers,
        body=await _body(request),
    )


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= _PAYLOAD_LIMIT:
            chunks.append(chunk)
    if size > _PAYLOAD_LIMIT:
        raise Refusal(400, f"Request payload size exceeds the limit: {_PAYLOAD_LIMIT} bytes.")
    return b"".join(chunks)
