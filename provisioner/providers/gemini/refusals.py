"""
What a refusal means: the one table from status and envelope to error.

Knows Google's error envelope, also inside a list, and that a proxy may answer with HTML.
Does not know which verb asked: only `names_cache` tells a missing cache from a wrong address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, TypedDict

import orjson
from msgspec import Struct

from provisioner.cache import Json
from provisioner.errors import (
    CacheCreationFailed,
    CacheError,
    InvalidCacheConfiguration,
    NetworkError,
    RequestRefused,
    clipped,
)
from provisioner.providers.gemini.wire import MissingCache
from provisioner.times import read_http_date

LONGEST_MESSAGE: Final = 2_000

_DELAY: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?s", re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)
_HOPELESS: Final = re.compile(
    r"limit\s*[=:]\s*0\b|free_?tier|stor(?:age|ed)\W*tokens|per_?\W?day", re.ASCII | re.IGNORECASE
)
"""Quotas that minutes do not refill: none at all, of what is stored, of a day."""
_MISSING: Final = re.compile(r"cached ?content\b.*\bnot found", re.ASCII | re.IGNORECASE)
_BAD_KEY: Final = re.compile(r"API key (?:not valid|expired|not found)", re.ASCII | re.IGNORECASE)
_COUNTS: Final = re.compile(
    r"total_token_count=(\d+), (min|max)_total_token_count=(\d+)", re.ASCII | re.IGNORECASE
)

_CLIENT_CLOSED: Final = 499
_MAYBE_DONE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, _CLIENT_CLOSED})
"""Below 500, what may be answered although the work was carried out."""


class _About(TypedDict):
    status: int
    words: str | None


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that refuses, taken apart."""

    status: int
    code: str = ""
    """Such as INVALID_ARGUMENT; empty where the answer is not Google's."""
    reason: str = ""
    """Such as API_KEY_INVALID."""
    message: str = ""
    """The server's own."""
    wait: timedelta | None = None
    """How long to leave the server alone, if it said so."""
    quota: str = ""
    """What the envelope's details say of the quota that was exceeded."""

    @property
    def maybe_done(self) -> bool:
        """Whether the server may have carried out the request all the same."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _MAYBE_DONE


def read_refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    redact: Callable[[str], str],
) -> Refusal:
    """Read any answer that is no success.  Header names are lower case.  Never raises."""
    error = _envelope(body)
    details = [detail for detail in _list(error.get("details")) if isinstance(detail, Mapping)]
    hints = [
        read_retry_after(headers.get("retry-after", ""), now),
        *(_delay(detail.get("retryDelay")) for detail in details),
    ]
    return Refusal(
        status=status,
        code=_text(error.get("status")),
        reason=next(filter(None, (_text(detail.get("reason")) for detail in details)), ""),
        message=clipped(redact(_text(error.get("message")) or _prose(body)), LONGEST_MESSAGE),
        wait=max((hint for hint in hints if hint is not None), default=None),
        quota=" ".join(_violations(details)),
    )


def read_retry_after(text: str, now: datetime) -> timedelta | None:
    """Read seconds or an HTTP date; None for anything else."""
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    moment = read_http_date(text)
    return None if moment is None else max(moment - now, timedelta())


def error_of(refusal: Refusal, *, endpoint: str, names_cache: bool) -> CacheError:
    """The error that a caller gets.  *names_cache*: the request was about one cache."""
    sentence = _sentence(refusal)
    about = _About(status=refusal.status, words=refusal.message or None)
    later = refusal.wait
    match refusal.status:
        case 403 | 404 if names_cache and _is_missing(refusal):
            return MissingCache(f"there is no such cache: {sentence}", **about)
        case 404:
            return InvalidCacheConfiguration(
                f"{endpoint} has no such model or method (check the address, its version and the"
                f" model): {sentence}",
                **about,
            )
        case 400 if refusal.reason == "API_KEY_INVALID" or _BAD_KEY.search(refusal.message):
            return RequestRefused(f"gemini does not accept the API key: {sentence}", **about)
        case 400 | 413 | 422 if refusal.code != "FAILED_PRECONDITION":
            return InvalidCacheConfiguration(_explained(refusal, sentence), **about)
        case 429 if _HOPELESS.search(f"{refusal.message} {refusal.quota}"):
            return RequestRefused(
                f"this project's quota does not allow it, and waiting does not help: {sentence}",
                **about,
                retry_after=later,
            )
        case 408 | 409 | 429 | 499 | 500 | 502 | 503 | 504:
            return NetworkError(
                f"gemini cannot answer now: {sentence}", **about, retryable=True, retry_after=later
            )
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return NetworkError(f"gemini cannot answer: {sentence}", **about, retry_after=later)
        case status if status < HTTPStatus.BAD_REQUEST:
            return NetworkError(
                f"{endpoint} points elsewhere, and is not followed: {sentence}", **about
            )
        case _:
            return RequestRefused(f"gemini refused: {sentence}", **about, retry_after=later)


def of_creation(error: CacheError) -> CacheError:
    """The same *error* where a create met it: a refusal is the creation's failure."""
    if not isinstance(error, NetworkError) or error.status is None:
        return error
    return CacheCreationFailed(
        "gemini",
        str(error),
        status=error.status,
        words=error.words,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )


def _is_missing(refusal: Refusal) -> bool:
    """403 with these words is the Developer API, 404 from Google itself is Vertex AI."""
    if refusal.status == HTTPStatus.NOT_FOUND:
        return refusal.code == "NOT_FOUND"
    return bool(_MISSING.search(refusal.message))


def _explained(refusal: Refusal, sentence: str) -> str:
    match _COUNTS.search(refusal.message):
        case re.Match() as counts:
            has, bound, number = counts.groups()
            most = "at least" if bound.lower() == "min" else "at most"
            return f"the content has {has} tokens, and a cache has {most} {number}: {sentence}"
        case None:
            return f"gemini cannot do that as it is asked: {sentence}"


def _sentence(refusal: Refusal) -> str:
    who = f"{refusal.status} {refusal.code}".strip()
    return f"{refusal.message} ({who})" if refusal.message else f"status {who}, without a message"


def _envelope(body: bytes) -> Mapping[str, Json]:
    """Google's error; empty where the answer is not Google's."""
    with suppress(orjson.JSONDecodeError):
        json: Json = orjson.loads(body)
        match json:
            case {"error": {} as error} | [{"error": {} as error}, *_]:
                return error
            case _:
                pass
    return {}


def _prose(body: bytes) -> str:
    """The plain text of a proxy; markup and JSON help no reader."""
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else text


def _delay(text: Json) -> timedelta | None:
    match = _DELAY.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    whole, fraction = match.groups()
    return timedelta(seconds=int(whole), microseconds=int((fraction or "0")[:6].ljust(6, "0")))


def _violations(details: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    """The ids of the exceeded quotas; one of zero is spelled like the server's own sentence."""
    for detail in details:
        for violation in _list(detail.get("violations")):
            if isinstance(violation, Mapping):
                value = violation.get("quotaValue")
                yield _text(violation.get("quotaId"))
                yield f"limit={value}" if value == "0" else ""


def _text(json: Json) -> str:
    return json if isinstance(json, str) else ""


def _list(json: Json) -> list[Json]:
    return json if isinstance(json, list) else []
