"""
Where reviews take place, as far as one comment needs it.

The address and the token come from the environment of a CI job and from nowhere else, and
no redirect is followed: the token goes to that host alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import httpx
from msgspec import Struct

from provisioner.environment import process_environment
from provisioner.errors import CtxprovError, Refused
from provisioner.http_environment import environment_fault
from provisioner.render.layout import clip

Shaped: TypeAlias = Any
"""What a forge answers, in the shape that its documentation gives."""

_PAGE = 100
_MOST_PAGES = 100
_WORDS = 200


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


class Api:
    """Requests to one forge.  Whatever goes wrong with one is a CtxprovError."""

    def __init__(self, home: str, headers: Mapping[str, str]) -> None:
        if fault := environment_fault(process_environment()):
            raise CtxprovError(f"{home} cannot be asked: {fault}.")
        self._client = httpx.Client(base_url=home, headers=headers, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def call(self, method: str, path: str, body: object = None, **query: str | int) -> Shaped:
        try:
            answer = self._client.request(method, path, json=body, params=query or None)
            if answer.is_success:
                return answer.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CtxprovError(f"{self._host} cannot be asked: {_words(error)}.") from error
        except ValueError as error:
            raise CtxprovError(f"{self._host} answered {method} with no JSON.") from error
        kind = Denied if _is_denied(answer) else CtxprovError
        words = clip(answer.text, _WORDS)
        raise kind(f"{self._host} answered {method} with {answer.status_code}: {words}")

    def every(self, path: str, **query: str | int) -> Iterator[Shaped]:
        """All there is of a list, page by page."""
        for page in range(1, _MOST_PAGES + 1):
            found = self.call("GET", path, per_page=_PAGE, page=page, **query)
            yield from found
            if len(found) < _PAGE:
                return

    @property
    def _host(self) -> str:
        return self._client.base_url.host


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


def _is_denied(answer: httpx.Response) -> bool:
    """Whether it is for good: what asks too often is told to come again."""
    hurried = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status_code == httpx.codes.FORBIDDEN and not hurried


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
