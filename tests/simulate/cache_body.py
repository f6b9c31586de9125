"""
Bodies of requests to the provider: which fit, what they say, and how one that does not is refused.

Written from the fact sheet of the real API.  Imports nothing of `provisioner`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import orjson
from msgspec import Meta, Struct

from tests.simulate.log import EPOCH
from tests.simulate.wire import SECOND, google_error, nanoseconds

LEAST_TOKENS: Final = {
    "models/gemini-3.8-flash": 1024,
    "models/gemini-3.6-flash": 1024,
    "models/gemini-3.1-pro-preview": 4096,
    "models/gemini-3.1-flash-lite": 1024,
    "models/gemini-3-flash-preview": 1024,
    "models/gemini-2.5-flash-lite": 2048,
}
"""What a cache of each model has at least; there is no other model."""
RPC: Final = "type.googleapis.com/google.rpc."
_MOST_TOKENS: Final = 1_048_576
_FILE_TOKENS: Final = 4096
"""For a file elsewhere, which is not opened."""
_DEFAULT_LIFE: Final = 3600 * SECOND
_FIRST: Final = -62_135_596_800 * SECOND
_LAST: Final = 253_402_300_800 * SECOND - 1
_OUTPUT_ONLY: Final = frozenset({"create_time", "update_time", "usage_metadata"})
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_Body = TypeVar("_Body", "CacheBody", "CountBody")


class Refused(Exception):
    """An answer of the provider other than 200."""

    def __init__(
        self, status: int, message: str, *, details: Sequence[Mapping[str, object]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = google_error(status, _STATUS.get(status, "UNKNOWN"), message, details)


class _Blob(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mime_type: str = ""
    data: bytes = b""


class _FileData(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mime_type: str = ""
    file_uri: str = ""


class _Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    text: str | None = None
    inline_data: _Blob | None = None
    file_data: _FileData | None = None

    def spell(self) -> str:
        """As the log has it.  Raises Refused unless it is of exactly one kind."""
        match self:
            case _Part(text=str(text), inline_data=None, file_data=None):
                return text
            case _Part(text=None, inline_data=_Blob(mime_type, data), file_data=None):
                return f"data:{mime_type};base64,{b64encode(data).decode()}"
            case _Part(text=None, inline_data=None, file_data=_FileData(mime_type, uri)):
                return f"file:{mime_type}:{uri}"
            case _:
                raise Refused(400, "* parts.data: required oneof field 'data' must be one")

    def tokens(self) -> int:
        """Inline data counts as the text that it would be."""
        match self:
            case _Part(inline_data=_Blob(_, data)):
                return _text_tokens(data.decode(errors="replace"))
            case _Part(file_data=_FileData()):
                return _FILE_TOKENS
            case _:
                return _text_tokens(self.text or "")


class _Turn(Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["", "user", "model", "function", "tool"] = ""
    parts: Annotated[list[_Part], Meta(min_length=1)] = []


class CacheBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A CachedContent as a client sends it."""

    model: str | None = None
    name: str | None = None
    display_name: Annotated[str, Meta(max_length=128)] | None = None
    system_instruction: _Turn | None = None
    contents: list[_Turn] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_config: dict[str, Any] | None = None
    ttl: str | None = None
    expire_time: str | None = None
    create_time: str | None = None
    update_time: str | None = None
    usage_metadata: dict[str, Any] | None = None

    def spell(self) -> tuple[list[str], str]:
        """The parts and the system instruction.  Raises Refused."""
        turns = self.contents or []
        if any(not turn.parts for turn in turns):
            raise Refused(400, "* contents.parts: contents.parts must not be empty.")
        system = self.system_instruction.parts if self.system_instruction else []
        if any(part.text is None for part in system):
            raise Refused(400, "* system_instruction: only text parts are supported")
        parts = [part.spell() for turn in turns for part in turn.parts]
        return parts, "\n---\n".join(part.spell() for part in system)

    def tokens(self) -> int:
        """Of all that it holds, the declarations of functions as JSON."""
        functions = [
            orjson.dumps(function).decode()
            for tool in self.tools or ()
            for function in tool.get("functionDeclarations", ())
        ]
        turns = [*(self.contents or ()), self.system_instruction or _Turn()]
        parts = [part.tokens() for turn in turns for part in turn.parts]
        return sum([*parts, *map(_text_tokens, functions)])

    def cached_tokens(self) -> int:
        """Raises Refused for a model that has no caches, and for more or fewer than one takes."""
        least, tokens = least_tokens(self.model), self.tokens()
        if tokens < least:
            raise Refused(400, _size_fault("small", tokens, f"min_total_token_count={least}"))
        if tokens > _MOST_TOKENS:
            bound = f"max_total_token_count={_MOST_TOKENS}"
            raise Refused(400, _size_fault("large", tokens, bound))
        return tokens

    def expiry(self, arrival: int) -> int:
        """The end of a life that begins at *arrival*; it may have passed.  Raises Refused."""
        match self:
            case CacheBody(ttl=str(), expire_time=str()):
                raise Refused(
                    400, "oneof field 'expiration' is already set. Cannot set 'expireTime'"
                )
            case CacheBody(ttl=str(text)):
                expires = arrival + _read_duration(text)
            case CacheBody(expire_time=str(text)):
                expires = _read_moment(text)
            case _:
                expires = arrival + _DEFAULT_LIFE
        if not _FIRST <= expires <= _LAST:
            raise Refused(400, "The expiration is out of range.")
        return expires

    def check_patch(self, mask: str) -> None:
        """Raises Refused unless the expiration changes, and nothing else."""
        if self.name is not None:
            raise Refused(400, "oneof field '_name' is already set. Cannot set 'name'")
        sent = [
            name
            for name in self.__struct_fields__
            if name not in _OUTPUT_ONLY and getattr(self, name) is not None
        ]
        named = mask.split(",") if mask not in {"", "*"} else sent
        if {*named} - {"ttl", "expireTime", "expire_time"}:
            raise Refused(400, "Only the expiration of a cached content can be updated.")
        if not {name.replace("expireTime", "expire_time") for name in named} & {*sent}:
            raise Refused(400, "Nothing to update: neither ttl nor expire_time is set.")


class CountBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    contents: list[_Turn] | None = None
    generate_content_request: CacheBody | None = None


def parse_body(body: bytes, kind: type[_Body]) -> _Body:
    """Read *body*.  Raises Refused."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (ValueError, RecursionError) as error:
        violation = {"description": str(error)}
        detail = {"@type": f"{RPC}BadRequest", "fieldViolations": [violation]}
        raise Refused(400, f"Invalid JSON payload received. {error}", details=[detail]) from None


def least_tokens(model: str | None) -> int:
    """What a cache of *model* has at least.  Raises Refused for a model that is not there."""
    if not model or "/" not in model:
        raise Refused(400, f"* model: unexpected model name format: {model}")
    if model not in LEAST_TOKENS:
        raise Refused(404, f"{model} is not found for API version v1beta.")
    return LEAST_TOKENS[model]


def _text_tokens(text: str) -> int:
    """Four characters are a token."""
    return -(-len(text) // 4)


def _size_fault(size: str, tokens: int, bound: str) -> str:
    return f"Cached content is too {size}. total_token_count={tokens}, {bound}"


def _read_duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused(400, "Illegal duration format; duration must end with 's'")
    sign, whole, digits = match.groups()
    span = int(whole) * SECOND + int((digits or "").ljust(9, "0"))
    return -span if sign else span


def _read_moment(text: str) -> int:
    match = _MOMENT.fullmatch(text)
    try:
        moment = datetime.fromisoformat(f"{match[1]}{match[3]}") if match else None
        seconds = None if moment is None else (moment - EPOCH) // timedelta(seconds=1)
    except (OverflowError, ValueError):
        seconds = None
    if match is None or seconds is None:
        raise Refused(400, "Illegal timestamp format; timestamps must end with 'Z' or an offset")
    return nanoseconds(seconds) + int((match[2] or "").ljust(9, "0"))
