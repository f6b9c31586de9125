"""
The one HTTP path: a request goes out, a value or a `CacheError` comes back.

Decides what a broken wire means, which failures are worth another try and how long to
wait for it.  Every foreign exception ends here.  Knows no cache: it is handed requests,
and functions that read the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

import httpx
import orjson
from msgspec import Struct
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from provisioner import __version__
from provisioner.cache import Json
from provisioner.errors import CacheError, InvalidCacheConfiguration, NetworkError, ParseError
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.refusals import error_of, read_http_date, read_refusal

T = TypeVar("T")

LONGEST_WAIT: Final = timedelta(seconds=60)
"""Whoever asks for more patience than this is not asked again: the caller decides."""

_CONNECTIONS: Final = 8
"""httpx scans its whole pool for every request; beyond eight it gets slower, not faster."""

_FOREIGN: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,  # a TLS error in mid-stream reaches us bare
)
_backoff: Final = wait_exponential(multiplier=0.5, max=20) + wait_random(0, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask, below the endpoint."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    patience: float
    """Seconds that the answer may take."""
    names_cache: bool = False


class Answer(Struct, frozen=True, kw_only=True):
    """A yes."""

    json: Json
    at: datetime | None
    """The server's clock, if it showed it."""


class Failed(Exception):
    """One try that failed; `error` is what the caller is told if there is no other."""

    def __init__(
        self, error: CacheError, *, maybe_done: bool, wait: timedelta | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.maybe_done = maybe_done
        self.wait = wait


@dataclass(slots=True, kw_only=True)
class Line:
    """A pool of connections to one endpoint with one key."""

    account: Account
    transport: httpx.AsyncBaseTransport | None
    connect_timeout: float
    attempts: int
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    _open: tuple[httpx.AsyncClient, asyncio.AbstractEventLoop] | None = field(
        default=None, repr=False
    )

    async def ask(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Send what may be sent again, until it is answered or hopeless."""
        return await self.persist(lambda: self.once(request, read))

    async def persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat *attempt* while it raises a `Failed` that may pass; raise its error."""
        patient = AsyncRetrying(
            stop=stop_after_attempt(self.attempts),
            retry=retry_if_exception(_may_pass),
            wait=_pause,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            async for one in patient:
                with one:
                    return await attempt()
        except Failed as failed:
            raise failed.error from failed.__cause__
        raise AssertionError("the last try returns or raises")

    async def once(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Send *request* once.  Raises Failed."""
        response = await self._send(request)
        now = read_http_date(response.headers.get("date", ""))
        if not response.is_success:
            raise self._refused(request, response, now or self.clock())
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
        timeout = httpx.Timeout(request.patience, connect=self.connect_timeout, pool=None)
        try:
            return await self._client().request(
                request.method,
                f"{self.account.endpoint}/{request.path}",
                params=request.query or None,
                content=request.body,
                timeout=timeout,
            )
        except _FOREIGN as error:
            raise _broken(error, self.account, request) from error

    def _client(self) -> httpx.AsyncClient:
        """Connections belong to the event loop that opened them."""
        loop = asyncio.get_running_loop()
        if self._open is None or self._open[1] is not loop:
            self._open = (self._connect(), loop)
        return self._open[0]

    def _connect(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        headers = {
            "x-goog-api-key": self.account.key,
            "content-type": "application/json",
            "user-agent": f"ctxprov/{__version__}",
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

    def _refused(self, request: Request, response: httpx.Response, now: datetime) -> Failed:
        refusal = read_refusal(
            response.status_code,
            response.headers,
            response.content,
            now=now,
            redact=self.account.redact,
        )
        error = error_of(refusal, endpoint=self.account.endpoint, names_cache=request.names_cache)
        return Failed(error, maybe_done=refusal.maybe_done, wait=refusal.wait)


def _may_pass(error: BaseException) -> bool:
    match error:
        case Failed(error=CacheError(retryable=True), wait=wait):
            return wait is None or wait <= LONGEST_WAIT
        case _:
            return False


def _pause(state: RetryCallState) -> float:
    match state.outcome and state.outcome.exception():
        case Failed(wait=timedelta() as wait):
            return wait.total_seconds()
        case _:
            return _backoff(state)


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
        case _:
            pass
    lost = NetworkError(f"the connection to {where} broke: {why}", retryable=True)
    return Failed(lost, maybe_done=True)


def _unsent(error: CacheError) -> Failed:
    return Failed(error, maybe_done=False)
