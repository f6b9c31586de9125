"""
Requests and replies as they cross a simulated network, and how virtual seconds spell a moment.

Imports nothing of `provisioner`: what it sends is judged here, not trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from msgspec import Struct

from tests.simulate.fate import Verb
from tests.simulate.log import EPOCH

SECOND: Final = 1_000_000_000
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH: Final = (EPOCH - _UNIX) // timedelta(seconds=1) * SECOND

_PROVIDER_VERBS: Final = {
    "POST": Verb.CREATE,
    "PATCH": Verb.PATCH,
    "DELETE": Verb.DELETE,
}
_SERVER_VERBS: Final = {
    "GET": Verb.READ,
    "POST": Verb.WRITE,
    "DELETE": Verb.REMOVE,
    "LOCK": Verb.LOCK,
    "UNLOCK": Verb.UNLOCK,
}


class WireRequest(Struct, frozen=True, kw_only=True):
    """A request as it arrives."""

    method: str
    path: str
    """Decoded, without the query."""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    """By names in lower case."""
    body: bytes = b""
    run: int = 0
    """Who sent it; 0 is another program or a person."""
    number: int = 0
    """No other request of the world has it."""


class WireReply(Struct, frozen=True, kw_only=True):
    """What a server answers."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


def provider_call(request: WireRequest) -> tuple[Verb, str]:
    """What *request* asks of the provider, and of which cache, if it names one."""
    cache = request.path.partition("/cachedContents/")[2]
    if request.path.endswith(":countTokens"):
        return Verb.COUNT, ""
    if request.method == "GET":
        return (Verb.GET if cache else Verb.LIST), cache
    return _PROVIDER_VERBS[request.method], cache


def server_call(request: WireRequest) -> tuple[Verb, str]:
    """What *request* asks of a server of states, and of which state."""
    state = request.path.strip("/")
    below = state.removesuffix("/lock")
    match request.method:
        case "POST" if below != state:
            return Verb.LOCK, below
        case "DELETE" if below != state:
            return Verb.UNLOCK, below
        case method:
            return _SERVER_VERBS[method], state


def spell_content(parts: Sequence[str], system_instruction: str = "") -> str:
    """
    The content of a cache as one text: what the log says, for the checker to compare.

    A text stands as it is, inline data as `data:TYPE;base64,DATA`, a file as `file:TYPE:URI`.
    Parts are joined by a line of three dashes; a system instruction comes last, below a line of
    three equals signs.  A single part without an instruction is its text.
    """
    spelled = "\n---\n".join(parts)
    return f"{spelled}\n===\n{system_instruction}" if system_instruction else spelled


def nanoseconds(seconds: float) -> int:
    """Virtual seconds as nanoseconds since 1970."""
    return _EPOCH + round(seconds * SECOND)


def virtual_seconds(nanoseconds: int) -> float:
    """Nanoseconds since 1970 as virtual seconds."""
    return (nanoseconds - _EPOCH) / SECOND


def spell_moment(nanoseconds: int) -> str:
    """RFC 3339 with `Z` and 0, 3, 6 or 9 digits: as few as are needed."""
    whole, rest = divmod(nanoseconds, SECOND)
    text = (_UNIX + timedelta(seconds=whole)).isoformat()[:19]
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def google_error(
    status: int, word: str, message: str, details: Sequence[Mapping[str, object]] = ()
) -> bytes:
    """Google's envelope of an error."""
    error: dict[str, object] = {"code": status, "message": message, "status": word}
    return orjson.dumps({"error": {**error, "details": details} if details else error})
