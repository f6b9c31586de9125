"""How this server says no: one exception, and the JSON envelope that Google puts around it.

It decides what a refusal looks like on the wire. It refuses to know when one is due.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import orjson
from starlette.responses import Response

JSON: Final = "application/json; charset=UTF-8"

_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_RPC: Final = "type.googleapis.com/google.rpc."


class Refusal(Exception):
    """An answer other than 200, in Google's envelope.

    `retry_after`, in seconds, is sent as a `RetryInfo` detail and as a `Retry-After` header.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = [*details]
        self.retry_after = retry_after
        if retry_after is not None:
            hint = {"@type": f"{_RPC}RetryInfo", "retryDelay": f"{retry_after:g}s"}
            self.details.append(hint)

    def answer(self) -> Response:
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "status": _STATUS.get(self.code, "UNKNOWN"),
        }
        if self.details:
            error["details"] = self.details
        wait = self.retry_after
        hints = {} if wait is None else {"retry-after": str(math.ceil(wait))}
        body = orjson.dumps({"error": error})
        return Response(body, self.code, headers=hints, media_type=JSON)


def violation(message: str, field: str = "") -> Refusal:
    """A body or query that does not fit the schema: the parser's answer, with its field."""
    place = {"field": field} if field else {}
    violations = [{**place, "description": message}]
    detail = {"@type": f"{_RPC}BadRequest", "fieldViolations": violations}
    return Refusal(400, message, details=[detail])


def bad_api_key() -> Refusal:
    message = "API key not valid. Please pass a valid API key."
    reason = {
        "@type": f"{_RPC}ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    text = {"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": message}
    return Refusal(400, message, details=[reason, text])


def missing_api_key() -> Refusal:
    return Refusal(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def no_such_cache() -> Refusal:
    """Never existed, deleted, expired or of another project: this API answers all of them alike."""
    return Refusal(403, "CachedContent not found (or permission denied)")


def no_such_page() -> Response:
    """A path outside the API is answered by the web front end, in HTML."""
    body = "<!DOCTYPE html><title>Error 404 (Not Found)</title><p>The requested URL was not found."
    return Response(body, 404, media_type="text/html; charset=UTF-8")
