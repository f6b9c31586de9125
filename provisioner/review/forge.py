"""
Where reviews take place, as far as one comment needs it.

The address and the token come from the environment of a CI job and from nowhere else, and
no redirect is followed: the token goes to that host alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import orjson
from msgspec import Struct

from provisioner.errors import CtxprovError, Refused
from provisioner.files import LARGEST
from provisioner.http import HttpClient, HttpError, HttpReply
from provisioner.render.layout import clip

ForgeJson: TypeAlias = Any
"""What a forge answers, in the shape that its documentation gives."""

_PAGE = 100
_MOST_PAGES = 100
_LONGEST = 200
_TIMEOUT = 20.0


class Comment(Struct, frozen=True, kw_only=True):
    """A comment that we wrote."""

    id: int
    text: str


class Forge(Protocol):
    """One review, on GitHub or elsewhere."""

    def mine(self) -> Iterator[Comment]:
        """What we wrote under it, the oldest first."""
        ...

    def add(self, text: str) -> None: ...

    def edit(self, comment: Comment, text: str) -> None: ...


class Denied(CtxprovError):
    """The forge knows the token and does not allow this."""


class ForgeApi:
    """Requests to one forge.  Every failure is a CtxprovError."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._http = HttpClient(
            timeout=_TIMEOUT, connect_timeout=_TIMEOUT, largest=LARGEST, headers=headers
        )

    def call(self, method: str, path: str, body: object = None, **query: str | int) -> ForgeJson:
        host = urlsplit(self._url).hostname
        try:
            reply = self._http.request(
                method,
                f"{self._url}{path}",
                query=query,
                body=None if body is None else orjson.dumps(body),
                headers=None if body is None else {"content-type": "application/json"},
            )
        except HttpError as error:
            raise CtxprovError(f"{host} cannot be asked: {error}.") from error
        if not reply.is_success:
            kind = Denied if _is_denied(reply) else CtxprovError
            text = clip(reply.text, _LONGEST)
            raise kind(f"{host} answered {method} with {reply.status}: {text}")
        try:
            return orjson.loads(reply.body)
        except ValueError as error:
            raise CtxprovError(f"{host} answered {method} with no JSON.") from error

    def every(self, path: str, **query: str | int) -> Iterator[ForgeJson]:
        """All there is of a list, page by page."""
        for page in range(1, _MOST_PAGES + 1):
            rows = self.call("GET", path, per_page=_PAGE, page=page, **query)
            yield from rows
            if len(rows) < _PAGE:
                return


def needed(environ: Mapping[str, str], name: str, hint: str = "") -> str:
    """A variable of the CI job."""
    value = environ.get(name)
    if not value:
        raise CtxprovError(f"{name} is not set. {hint or 'Every job of this CI has it.'}")
    return value


def only(numbers: Sequence[int], what: str) -> int:
    """The one review that there has to be."""
    if len(numbers) == 1:
        return numbers[0]
    listed = ", ".join(map(str, numbers)) or "none"
    raise Refused(f"One request for review should have {what}, and there is: {listed}.")


def _is_denied(reply: HttpReply) -> bool:
    """Whether it is for good: a limit of the rate is refused with the same status."""
    is_limit = "retry-after" in reply.headers or reply.headers.get("x-ratelimit-remaining") == "0"
    return reply.status == HTTPStatus.FORBIDDEN and not is_limit
