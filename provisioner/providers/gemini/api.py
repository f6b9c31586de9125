"""
Requests to the Gemini API: a value or a `CacheError` comes back.

Decides which failures are worth another try, what of a failed request the server may have
carried out, how far a list is followed, and which answer says best what time it is there.
When a request may go out is the governor's decision, the connection is that of `http`.  Knows
no cache: callers pass requests, and functions that read the answers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, TypeVar

import orjson
from msgspec import Struct
from msgspec.structs import replace

from provisioner import errors
from provisioner.cache import BeforeSending, CachedContext, Json
from provisioner.http import AsyncHttpClient, HttpError, HttpFault, HttpReply
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.governor import (
    ApiVerb,
    Governor,
    Permit,
    governor_of,
)
from provisioner.retry import RetryPolicy
from provisioner.runtime import Runtime
from provisioner.times import read_http_date

_Parsed = TypeVar("_Parsed")

MOST_PAGES: Final = 1_000
"""A million caches: more than a project has."""

_PAGE_SIZE: Final = "1000"
_UPLOAD: Final = 250_000
"""Bytes a second: what the deadline of a request expects of the slowest connection."""
_JITTER: Final = 0.5
"""Seconds."""
_OF_ONE_CACHE: Final = frozenset({ApiVerb.GET, ApiVerb.PATCH, ApiVerb.DELETE})
_YEARS: Final = range(2000, 9000)
"""What else a header says is no date, and would overflow a sum."""
_AGE: Final = re.compile(r"\d{1,8}", re.ASCII)

_log: Final = logging.getLogger("provisioner.http")
_list_log: Final = logging.getLogger("provisioner.gemini")


class ApiRequest(Struct, frozen=True):
    """What to ask, below the endpoint."""

    verb: ApiVerb
    path: str
    query: Mapping[str, str] = {}
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"ApiRequest({self.verb!r}, {self.path!r})"


class ApiAnswer(Struct, frozen=True, kw_only=True):
    """The answer to a request that succeeded."""

    json: Json
    at: datetime | None
    """The server's clock, if it showed it."""


class ServerDate(Struct, frozen=True, kw_only=True):
    """
    The Date of one answer (aware UTC, whole seconds), plus its Age if a cache gave it.

    Beside it stand the seconds since boot, so that a wall clock that is wrong, or set in the
    middle, changes nothing.
    """

    date: datetime
    sent: float
    """When its request went out, in seconds since boot."""
    received: float
    """When the answer was there, in seconds since boot."""

    @property
    def boot_date(self) -> datetime:
        """When this machine booted, if the answer is right: the latest of several is."""
        return self.date - timedelta(seconds=self.received)


@dataclass(eq=False)
class FailedRequest(Exception):
    """One try that failed; `error` is what the caller gets if there is no other."""

    error: errors.CacheError
    _: KW_ONLY
    maybe_done: bool
    is_quota: bool = False
    """Whether the governor holds back the next try until the quota allows it."""
    least_pause: float = 0.0
    """Seconds to wait at least before the next try."""


async def cleared(permit: Permit, before: BeforeSending | None) -> None:
    """Await *before* under a *permit*; what it raises keeps the request from being sent."""
    if before is None:
        return
    try:
        await before()
    except BaseException:
        permit.unused()
        raise
    permit.begin()


class GeminiApi(Struct, kw_only=True):
    """One endpoint, asked with one key."""

    account: Account
    http: AsyncHttpClient
    retry: RetryPolicy
    """Of one request; refusals by a quota do not count."""
    max_wait: timedelta
    """How long a quota may let nothing through."""
    runtime: Runtime
    create_timeout: float
    """Seconds that an answer may take to a request with content, once it is sent."""
    read_timeout: float
    """The same, to any other request."""
    server_date: ServerDate | None = None
    """What the answers say of the time."""

    @property
    def governor(self) -> Governor:
        """The one of this account in the running loop."""
        return governor_of(self.account, self.runtime)

    def permit(self, verb: ApiVerb) -> AbstractAsyncContextManager[Permit]:
        """Wait until a request of *verb* may go out; one is sent under it with `once`."""
        return self.governor.permit(verb, patience=self.max_wait)

    async def ask(
        self,
        request: ApiRequest,
        read: Callable[[ApiAnswer], _Parsed],
        *,
        before: BeforeSending | None = None,
    ) -> _Parsed:
        """Send what may be sent again, each time after *before*, until an answer or no hope."""

        async def attempt() -> _Parsed:
            async with self.permit(request.verb) as permit:
                await cleared(permit, before)
                return await self.once(request, read, permit)

        return await self.persist(attempt)

    async def persist(self, attempt: Callable[[], Awaitable[_Parsed]]) -> _Parsed:
        """Repeat *attempt* while it raises a `FailedRequest` that may pass; raise its error."""
        tries = 0
        while True:
            try:
                return await attempt()
            except FailedRequest as failed:
                tries += not failed.is_quota
                if not failed.error.retryable or tries >= self.retry.tries:
                    raise failed.error from failed.__cause__
                if not failed.is_quota:
                    await self._pause(tries, failed)

    async def once(
        self, request: ApiRequest, read: Callable[[ApiAnswer], _Parsed], permit: Permit
    ) -> _Parsed:
        """Send *request* once, under its *permit*.  Raises FailedRequest."""
        reply, date = await self._send(request)
        at = date.date if date else None
        if not reply.is_success:
            raise self._refused(request, reply, at or self.runtime.now(), permit)
        permit.succeed()
        try:
            return read(ApiAnswer(json=orjson.loads(reply.body or b"{}"), at=at))
        except ValueError as error:
            unreadable = errors.ParseError(
                f"{self.account.endpoint} answered {reply.status}, but {error}",
                status=reply.status,
                retryable=True,
            )
            raise FailedRequest(unreadable, maybe_done=True) from error

    async def list_caches(self) -> wire.CacheListing:
        """
        Read every page of the list.

        Raises CacheError, also where the server lists in a circle, or without an end.
        """
        caches: dict[str, CachedContext] = {}
        skipped: list[wire.UnreadableCache] = []
        tokens = {""}
        query = {"pageSize": _PAGE_SIZE}
        for _ in range(MOST_PAGES):
            request = ApiRequest(ApiVerb.LIST, "cachedContents", query)
            page = await self.ask(request, _read_page)
            caches.update((cache.handle.cache_name, cache) for cache in page.caches)
            skipped += page.skipped
            if not page.next_token:
                self._warn(skipped)
                return replace(page, caches=[*caches.values()], skipped=tuple(skipped))
            if page.next_token in tokens:
                raise errors.ParseError(f"{self.account.endpoint} lists its caches in a circle")
            tokens.add(page.next_token)
            query = {"pageSize": _PAGE_SIZE, "pageToken": page.next_token}
        raise errors.ParseError(
            f"{self.account.endpoint} lists its caches without an end: there is another page after"
            f" {MOST_PAGES:,} with {len(caches):,} caches"
        )

    async def _pause(self, tries: int, failed: FailedRequest) -> None:
        """Wait before the next of several *tries*, as long as the server asked for."""
        hint = failed.error.retry_after
        if hint is not None and hint > self.max_wait:
            raise failed.error from failed.__cause__
        random = self.runtime.random
        jitter = random.uniform(0, _JITTER)
        pause = self.retry.pause(tries, random) + jitter if hint is None else hint.total_seconds()
        try:
            await self.governor.pause(max(pause, failed.least_pause))
        except errors.Interrupted as interrupted:
            raise failed.error from interrupted

    async def _send(self, request: ApiRequest) -> tuple[HttpReply, ServerDate | None]:
        """Send it, and log it: never with its query, its headers or its body."""
        has_content = request.verb in {ApiVerb.CREATE, ApiVerb.COUNT}
        timeout = self.create_timeout if has_content else self.read_timeout
        deadline = timeout + len(request.body or b"") / _UPLOAD
        began = self.runtime.boot_seconds()
        status: object = "no answer"
        try:
            reply = await self.http.request(
                request.verb.method,
                f"{self.account.endpoint}/{request.path}",
                query=request.query,
                body=request.body,
                timeout=timeout,
                deadline=deadline,
            )
            status = reply.status
            date = read_server_date(reply.headers, sent=began, received=self.runtime.boot_seconds())
            self.server_date = later_date(self.server_date, date)
        except HttpError as error:
            waited = {HttpFault.SILENT: timeout, HttpFault.LATE: deadline}.get(error.fault, 0)
            raise _unanswered(error, self.account.endpoint, waited) from error.__cause__
        finally:
            ms = (self.runtime.boot_seconds() - began) * 1000
            _log.info("%s /%s %s %.0f ms", request.verb.method, request.path, status, ms)
        return reply, date

    def _refused(
        self, request: ApiRequest, reply: HttpReply, now: datetime, permit: Permit
    ) -> FailedRequest:
        from provisioner.providers.gemini import refusals  # noqa: PLC0415  # most runs meet none

        refusal = refusals.read_refusal(
            reply.status, reply.headers, reply.body, now=now, redact=self.account.secret.redact
        )
        names_cache = request.verb in _OF_ONE_CACHE
        error = refusals.error_of(refusal, endpoint=self.account.endpoint, names_cache=names_cache)
        is_quota = error.retryable and refusal.status == HTTPStatus.TOO_MANY_REQUESTS
        if is_quota:
            permit.refuse(error)
        return FailedRequest(error, maybe_done=refusal.maybe_done, is_quota=is_quota)

    def _warn(self, skipped: list[wire.UnreadableCache]) -> None:
        if skipped:
            _list_log.warning(
                "%s lists %s that cannot be read and are left out: %s",
                self.account.endpoint,
                "one cache" if len(skipped) == 1 else f"{len(skipped):,} caches",
                skipped[0].reason,
            )


def read_server_date(
    headers: Mapping[str, str], *, sent: float, received: float
) -> ServerDate | None:
    """Read what an answer says of the time; None if it says nothing that can be read."""
    date = read_http_date(headers.get("date", ""))
    if date is None or date.year not in _YEARS:
        return None
    age = headers.get("age", "")
    seconds = int(age) if _AGE.fullmatch(age) else 0
    return ServerDate(date=date + timedelta(seconds=seconds), sent=sent, received=received)


def later_date(first: ServerDate | None, second: ServerDate | None) -> ServerDate | None:
    """Of two dates the one that puts the present later."""
    if first is None or second is None:
        return first or second
    return max(first, second, key=lambda date: date.boot_date)


def read_cache(answer: ApiAnswer) -> CachedContext:
    """Read an answer that is one cache.  Raises ValueError."""
    return wire.read_context(answer.json)


def _read_page(answer: ApiAnswer) -> wire.CacheListing:
    return replace(wire.read_page(answer.json), at=answer.at)


def _unanswered(error: HttpError, endpoint: str, waited: float) -> FailedRequest:
    """What a request without a reply means that *waited* so many seconds."""
    reason = str(error)
    match error.fault:
        case HttpFault.UNUSABLE:
            sentence = f"{endpoint} cannot be asked: {reason}"
            return FailedRequest(errors.InvalidCacheConfiguration(sentence), maybe_done=False)
        case HttpFault.UNREACHED | HttpFault.UNTRUSTED:
            sentence = f"{endpoint} cannot be reached: {reason}"
            is_retryable = error.fault is HttpFault.UNREACHED
            return FailedRequest(
                errors.NetworkError(sentence, retryable=is_retryable), maybe_done=False
            )
        case HttpFault.PROXY:
            sentence = f"the proxy will not reach {endpoint}: {reason}"
            return FailedRequest(errors.NetworkError(sentence, retryable=True), maybe_done=False)
        case HttpFault.GARBLED:
            sentence = f"{endpoint} answered what cannot be unpacked: {reason}"
            return FailedRequest(errors.ParseError(sentence, retryable=True), maybe_done=True)
        case HttpFault.SILENT:
            reason = f"no answer within {waited:g} s"
        case HttpFault.LATE:
            reason = f"no whole answer within {waited:g} s"
        case HttpFault.OVERSIZE | HttpFault.BROKEN:
            pass
    sentence = f"the connection to {endpoint} broke: {reason}"
    return FailedRequest(errors.NetworkError(sentence, retryable=True), maybe_done=True)
