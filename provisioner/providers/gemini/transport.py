"""
The one HTTP path: a request goes out, a value or a `CacheError` comes back.

Decides what a broken wire means and which failures are worth another try; when that try
may go out is the governor's.  Every request has a deadline as a whole.  Every foreign
exception ends here.  Knows no cache: callers pass requests, and functions that read the
answers.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal, TypeVar

import httpx
import orjson
from msgspec import Struct

from provisioner import __version__
from provisioner.boot_time import boot_seconds
from provisioner.cache import Json
from provisioner.environment import process_environment
from provisioner.errors import (
    CacheError,
    Interrupted,
    InvalidCacheConfiguration,
    NetworkError,
    ParseError,
)
from provisioner.http_environment import environment_fault
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.dates import Dated, better, read_dated
from provisioner.providers.gemini.governor import (
    Governor,
    OutOfPatience,
    Permit,
    Stopped,
    Verb,
    governor_of,
)
from provisioner.providers.gemini.refusals import error_of, read_http_date, read_refusal
from provisioner.times import duration_text

T = TypeVar("T")

_log: Final = logging.getLogger("provisioner.http")

_IDLE_CONNECTIONS: Final = 64
"""As many as one verb may have under way; the governor bounds how many are in use."""
_UPLOAD: Final = 250_000
"""Bytes a second: what the deadline of a request expects of the slowest connection."""
_SLOWEST_BACKOFF: Final = 20.0

_FOREIGN: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,  # a TLS error in mid-stream reaches us bare
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask, below the endpoint."""

    verb: Verb
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    patience: float
    """Seconds that the answer may take, once the request is sent."""
    names_cache: bool = False

    @property
    def deadline(self) -> float:
        """Seconds that sending and answering may take together."""
        return self.patience + len(self.body or b"") / _UPLOAD


class Answer(Struct, frozen=True, kw_only=True):
    """A yes."""

    json: Json
    at: datetime | None
    """The server's clock, if it showed it."""


class Failed(Exception):
    """One try that failed; `error` is what the caller is told if there is no other."""

    def __init__(
        self,
        error: CacheError,
        *,
        maybe_done: bool,
        is_quota: bool = False,
        least_pause: float = 0.0,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.maybe_done = maybe_done
        self.is_quota = is_quota
        """Whether the governor holds back the next try until the quota allows it."""
        self.least_pause = least_pause
        """Seconds to wait at least before the next try."""


@dataclass(slots=True, kw_only=True)
class Line:
    """A pool of connections to one endpoint with one key."""

    account: Account
    transport: httpx.AsyncBaseTransport | None
    connect_timeout: float
    attempts: int
    """How often one request is tried at most; refusals by a quota do not count."""
    max_wait: timedelta
    """How long a quota may let nothing through."""
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    _open: tuple[httpx.AsyncClient, asyncio.AbstractEventLoop] | None = field(
        default=None, repr=False
    )
    dated: Dated | None = field(default=None, repr=False)
    """What the answers say of the time."""

    @property
    def governor(self) -> Governor:
        """The one of this account in the running loop."""
        return governor_of(self.account.endpoint, self.account.fingerprint, self.sleep)

    async def ask(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Send what may be sent again, until it is answered or hopeless."""

        async def attempt() -> T:
            async with self.permit(request.verb) as permit:
                return await self.once(request, read, permit)

        return await self.persist(attempt)

    async def persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat *attempt* while it raises a `Failed` that may pass; raise its error."""
        tries = 0
        while True:
            try:
                return await attempt()
            except Failed as failed:
                tries += not failed.is_quota
                if not failed.error.retryable or tries >= self.attempts:
                    raise failed.error from failed.__cause__
                if not failed.is_quota:
                    await self.pause(tries, failed)

    @asynccontextmanager
    async def permit(self, verb: Verb) -> AsyncIterator[Permit]:
        """
        Wait until a request of *verb* may go out; one is sent under it with `once`.

        Raises Interrupted, and NetworkError where a quota let nothing through for `max_wait`.
        """
        try:
            async with self.governor.permit(verb, patience=self.max_wait) as permit:
                yield permit
        except Stopped as stopped:
            raise Interrupted("the run is ending; this was not sent") from stopped
        except OutOfPatience as waited:
            refusal = waited.refusal
            raise NetworkError(
                f"nothing got through for {duration_text(self.max_wait)}: {refusal}",
                status=refusal.status,
                words=refusal.words,
                retryable=True,
                retry_after=waited.retry_after or refusal.retry_after,
            ) from waited

    async def pause(self, tries: int, failed: Failed) -> None:
        """Wait before the next of several *tries*, as long as the server asked for."""
        hint = failed.error.retry_after
        if hint is not None and hint > self.max_wait:
            raise failed.error from failed.__cause__
        backoff = min(0.5 * 2.0 ** (tries - 1), _SLOWEST_BACKOFF)
        jitter = random.uniform(0, 0.5)  # noqa: S311  # spreads tries, hides nothing
        pause = backoff + jitter if hint is None else hint.total_seconds()
        try:
            await self.governor.pause(max(pause, failed.least_pause))
        except Stopped as stopped:
            raise failed.error from stopped

    async def rest(self, seconds: float) -> None:
        """Wait that long.  Raises Interrupted."""
        try:
            await self.governor.pause(seconds)
        except Stopped as stopped:
            raise Interrupted("the run is ending; this was not sent") from stopped

    async def once(self, request: Request, read: Callable[[Answer], T], permit: Permit) -> T:
        """Send *request* once, under its *permit*.  Raises Failed."""
        response = await self._send(request)
        now = read_http_date(response.headers.get("date", ""))
        if not response.is_success:
            raise self._refused(request, response, now or self.clock(), permit)
        permit.succeed()
        try:
            return read(Answer(json=orjson.loads(response.content or b"{}"), at=now))
        except ValueError as error:
            senseless = ParseError(
                f"{self.account.endpoint} answered {response.status_code}, but {error}",
                status=response.status_code,
                retryable=True,
            )
            raise Failed(senseless, maybe_done=True) from error

    async def close(self) -> None:
        """
        Let go of every connection.  A later request opens new ones.

        Those of another event loop cannot be closed from here, and are dropped.
        """
        match self._open:
            case client, loop if loop is asyncio.get_running_loop():
                self._open = None
                await client.aclose()
            case _:
                self._open = None

    async def _send(self, request: Request) -> httpx.Response:
        """Send it, and log it: never with its query, its headers or its body."""
        began = boot_seconds()
        status: object = "no answer"
        try:
            response = await self._answered(request)
            status = response.status_code
            dated = read_dated(response.headers, sent=began, received=boot_seconds())
            self.dated = better(self.dated, dated)
        except _FOREIGN as error:
            raise _broken(error, self.account, request) from error
        finally:
            ms = (boot_seconds() - began) * 1000
            _log.info("%s /%s %s %.0f ms", request.method, request.path, status, ms)
        return response

    async def _answered(self, request: Request) -> httpx.Response:
        client = self._client()
        timeout = httpx.Timeout(request.patience, connect=self.connect_timeout, pool=None)
        async with asyncio.timeout(self.connect_timeout + request.deadline):
            return await client.request(
                request.method,
                f"{self.account.endpoint}/{request.path}",
                params=request.query or None,
                content=request.body,
                timeout=timeout,
            )

    def _client(self) -> httpx.AsyncClient:
        """Connections belong to the event loop that opened them."""
        loop = asyncio.get_running_loop()
        if self._open is None or self._open[1] is not loop:
            self._open = (self._connect(), loop)
        return self._open[0]

    def _connect(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_keepalive_connections=_IDLE_CONNECTIONS)
        fault = None if self.transport else environment_fault(process_environment())
        if fault:
            raise _unsent(InvalidCacheConfiguration(fault))
        headers = {
            "x-goog-api-key": self.account.key,
            "content-type": "application/json",
            "user-agent": f"ctxprov/{__version__}",
            "cache-control": "no-store",
        }
        try:
            return httpx.AsyncClient(headers=headers, limits=limits, transport=self.transport)
        except (*_FOREIGN, ValueError, ImportError) as error:
            raise _unsent(
                InvalidCacheConfiguration(
                    "the HTTP client cannot be set up; look at the proxies and certificates in"
                    f" the environment ({type(error).__name__})"
                )
            ) from error

    def _refused(
        self, request: Request, response: httpx.Response, now: datetime, permit: Permit
    ) -> Failed:
        refusal = read_refusal(
            response.status_code,
            response.headers,
            response.content,
            now=now,
            redact=self.account.redact,
        )
        error = error_of(refusal, endpoint=self.account.endpoint, names_cache=request.names_cache)
        is_quota = error.retryable and refusal.status == HTTPStatus.TOO_MANY_REQUESTS
        if is_quota:
            permit.refuse(error)
        return Failed(error, maybe_done=refusal.maybe_done, is_quota=is_quota)


def _broken(error: Exception, account: Account, request: Request) -> Failed:
    """What a wire that gave no answer means."""
    where = account.endpoint
    why = account.redact(str(error)) or type(error).__name__
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return _unsent(InvalidCacheConfiguration(f"{where} cannot be asked: {why}"))
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            hopeless = "CERTIFICATE_VERIFY_FAILED" in why
            told = NetworkError(f"{where} cannot be reached: {why}", retryable=not hopeless)
            return _unsent(told)
        case httpx.ProxyError():
            return _unsent(NetworkError(f"the proxy will not reach {where}: {why}", retryable=True))
        case httpx.DecodingError():
            senseless = ParseError(
                f"{where} answered what cannot be unpacked: {why}", retryable=True
            )
            return Failed(senseless, maybe_done=True)
        case httpx.TimeoutException():
            why = f"no answer within {request.patience:g} s"
        case TimeoutError():
            why = f"no whole answer within {request.deadline:g} s"
        case _:
            pass
    lost = NetworkError(f"the connection to {where} broke: {why}", retryable=True)
    return Failed(lost, maybe_done=True)


def _unsent(error: CacheError) -> Failed:
    return Failed(error, maybe_done=False)
