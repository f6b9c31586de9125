"""
What it means when the server says no: the one table from status and envelope to error.

Knows Google's error envelope, also inside a list, and that a proxy may answer with HTML.
It refuses to know who asked: only `names_cache` tells a missing cache from a wrong address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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
)

LONGEST_WORDS: Final = 2_000

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


class MissingCache(RequestRefused):
    """There is no cache of that name.  It never leaves this package."""


class Refusal(Struct, frozen=True, kw_only=True):
    """A no, taken apart."""

    status: int
    code: str = ""
    """Such as INVALID_ARGUMENT; empty where nobody spoke for Google."""
    reason: str = ""
    """Such as API_KEY_INVALID."""
    words: str = ""
    wait: timedelta | None = None
    """How long to leave the server alone, if it said so."""
    quota: str = ""
    """What the envelope's details say of the quota that was exceeded."""

    @property
    def maybe_done(self) -> bool:
        """Whether the server may have done what it was asked for all the same."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _MAYBE_DONE


def read_refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    redact: Callable[[str], str],
) -> Refusal:
    """Read any answer that is not a yes.  Header names are lower case.  Never raises."""
    hint = read_retry_after(headers.get("retry-after", ""), now)
    match _envelope(body):
        case {} as error:
            details = [one for one in _list(error.get("details")) if isinstance(one, Mapping)]
            hints = [hint, *(_delay(detail.get("retryDelay")) for detail in details)]
            return Refusal(
                status=status,
                code=_text(error.get("status")),
                reason=next(filter(None, (_text(one.get("reason")) for one in details)), ""),
                words=_cut(redact(_text(error.get("message")))),
                wait=max((one for one in hints if one is not None), default=None),
                quota=" ".join(_violations(details)),
            )
        case _:
            return Refusal(status=status, words=_cut(redact(_prose(body))), wait=hint)


def read_retry_after(text: str, now: datetime) -> timedelta | None:
    """Read seconds or an HTTP date; None for anything else."""
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    moment = read_http_date(text)
    return None if moment is None else max(moment - now, timedelta())


def read_http_date(text: str) -> datetime | None:
    """Read the date of a header as aware UTC; None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def error_of(refusal: Refusal, *, endpoint: str, names_cache: bool) -> CacheError:
    """What a caller is told.  *names_cache*: the request was about one cache."""
    said = _sentence(refusal)
    about = _About(status=refusal.status, words=refusal.words or None)
    later = refusal.wait
    match refusal.status:
        case 403 | 404 if names_cache and _is_missing(refusal):
            return MissingCache(f"there is no such cache: {said}", **about)
        case 404:
            return InvalidCacheConfiguration(
                f"there is no such thing at {endpoint} (is the address, its version or the"
                f" model right?): {said}",
                **about,
            )
        case 400 if refusal.reason == "API_KEY_INVALID" or _BAD_KEY.search(refusal.words):
            return RequestRefused(f"gemini does not accept the API key: {said}", **about)
        case 400 | 413 | 422 if refusal.code != "FAILED_PRECONDITION":
            return InvalidCacheConfiguration(_explained(refusal, said), **about)
        case 429 if _HOPELESS.search(f"{refusal.words} {refusal.quota}"):
            return RequestRefused(
                f"this project's quota does not allow it, and waiting does not help: {said}",
                **about,
                retry_after=later,
            )
        case 408 | 409 | 429 | 499 | 500 | 502 | 503 | 504:
            return NetworkError(
                f"gemini cannot answer now: {said}", **about, retryable=True, retry_after=later
            )
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return NetworkError(f"gemini cannot answer: {said}", **about, retry_after=later)
        case status if status < HTTPStatus.BAD_REQUEST:
            return NetworkError(
                f"{endpoint} points elsewhere, and is not followed: {said}", **about
            )
        case _:
            return RequestRefused(f"gemini refused: {said}", **about, retry_after=later)


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
    return bool(_MISSING.search(refusal.words))


def _explained(refusal: Refusal, said: str) -> str:
    match _COUNTS.search(refusal.words):
        case re.Match() as found:
            has, bound, number = found.groups()
            most = "at least" if bound.lower() == "min" else "at most"
            return f"the content has {has} tokens, and a cache has {most} {number}: {said}"
        case None:
            return f"gemini cannot do that as it is asked: {said}"


def _sentence(refusal: Refusal) -> str:
    who = f"{refusal.status} {refusal.code}".strip()
    return f"{refusal.words} ({who})" if refusal.words else f"status {who}, no more was said"


def _envelope(body: bytes) -> Mapping[str, Json] | None:
    try:
        json: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    match json:
        case {"error": {} as error} | [{"error": {} as error}, *_]:
            return error
        case _:
            return None


def _prose(body: bytes) -> str:
    """What a proxy said in plain words; markup and JSON tell a reader nothing."""
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else text


def _delay(text: Json) -> timedelta | None:
    found = _DELAY.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    whole, fraction = found.groups()
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


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1]}…"
