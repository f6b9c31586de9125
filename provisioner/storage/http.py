"""
One HTTP request to a server that keeps states: an answer comes back, or a StateError.

Decides what a broken wire means and what is worth another try.  Knows nothing of states.  The
credential goes to one host and is never shown; no redirect is followed.
"""

from __future__ import annotations

import base64
import hashlib
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus

import httpx
from msgspec import Struct

from provisioner import __version__
from provisioner.environment import process_environment
from provisioner.errors import BackendUnreachable, StateError, StateUnreadable
from provisioner.files import LARGEST
from provisioner.http_environment import environment_fault
from provisioner.storage.protocol import oversize

_PATIENCE = httpx.Timeout(60.0, connect=10.0)
_WORDS = 200
_FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What basic authentication sends."""

    username: str
    password: str = field(repr=False)

    def hidden(self, text: str) -> str:
        return text.replace(self.password, "***") if self.password else text


class Retries(Struct, frozen=True, kw_only=True):
    """How often to ask again a server that gives no answer, as Terraform counts."""

    most: int = 2
    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=30)

    def pause(self, attempt: int) -> float:
        return min(self.first.total_seconds() * 2.0**attempt, self.longest.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    status: int
    content: bytes = field(repr=False)
    words: str
    """The beginning of it as one line, without the credential."""
    is_late: bool = False
    """Whether an earlier answer to the same was lost, so that it may have been done before."""

    def __str__(self) -> str:
        return f"{self.status}{': ' if self.words else ''}{self.words}"


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Wire:
    """Connections to one server."""

    host: str
    credential: Credential | None
    retries: Retries = field(default_factory=Retries)
    largest: int = LARGEST
    """Bytes of an answer."""
    sleep: Callable[[float], None] = time.sleep
    _client: httpx.Client | None = field(default=None, repr=False)

    def ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send a request that may be sent again, until there is an answer."""
        for attempt in range(self.retries.most):
            try:
                return replace(self.once(method, url, body), is_late=attempt > 0)
            except BackendUnreachable:
                self.sleep(self.retries.pause(attempt))
        return replace(self.once(method, url, body), is_late=self.retries.most > 0)

    def once(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """
        Send a request.

        Raises BackendUnreachable where another try may help, StateError where a person must.
        """
        try:
            with self._connected().stream(
                method, url, content=body, headers=_headers(body)
            ) as response:
                answer = self._read(response)
        except _FOREIGN as error:
            raise self._broken(error) from error
        self._judge(answer, response.headers)
        return answer

    def _read(self, response: httpx.Response) -> Answer:
        content = self._content(response)
        words = " ".join(content[:_WORDS].decode(errors="replace").split())
        return Answer(status=response.status_code, content=content, words=self._hidden(words))

    def _content(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise StateError(f"{self.host} answers in an encoding that nobody asked for.")
        whole = bytearray()
        for chunk in response.iter_raw():
            whole += chunk
            if len(whole) > self.largest:
                raise oversize(f"an answer of {self.host}", None, self.largest)
        return bytes(whole)

    def _judge(self, answer: Answer, headers: httpx.Headers) -> None:
        """Raise what has one meaning whatever was asked."""
        told = f"{self.host} answered {answer}"
        match answer.status:
            case HTTPStatus.UNAUTHORIZED:
                raise StateUnreadable(f"{told}.  {_ASK[self.credential is None]}")
            case HTTPStatus.FORBIDDEN:
                raise StateUnreadable(f"{told}.  {_MAY}")
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.REQUEST_TIMEOUT:
                raise BackendUnreachable(f"{told}.  Try again later.")
            case HTTPStatus.NOT_IMPLEMENTED:
                pass
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise BackendUnreachable(f"{told}.  Try again later.")
            case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
                place = self._hidden(headers.get("location", "nowhere"))
                raise StateError(
                    f"{self.host} sends us to {place}.  Credentials go to no other place than "
                    "the address that was given: if that is where states live, give it."
                )
            case HTTPStatus.OK if "html" in headers.get("content-type", ""):
                raise StateError(
                    f"{self.host} answered with a page for people, perhaps to sign in: this is "
                    "not the address of a state, or the credentials are missing."
                )

    def _broken(self, error: Exception) -> StateError:
        why = self._hidden(str(error)) or type(error).__name__
        match error:
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return StateError(f"{self.host} cannot be asked: {why}.")
            case _ if "CERTIFICATE_VERIFY_FAILED" in why:
                return StateError(f"{self.host} shows a certificate that is not trusted: {why}.")
            case _:
                return BackendUnreachable(f"{self.host} cannot be reached: {why}.")

    def _hidden(self, text: str) -> str:
        return self.credential.hidden(text) if self.credential else text

    def _connected(self) -> httpx.Client:
        if self._client is None:
            if fault := environment_fault(process_environment()):
                raise StateError(f"{self.host} cannot be asked: {fault}.")
            known = self.credential
            self._client = httpx.Client(
                auth=httpx.BasicAuth(known.username, known.password) if known else None,
                headers={
                    "user-agent": f"ctxprov/{__version__}",
                    "accept-encoding": "identity",  # what is cut short must be seen to be
                },
                timeout=_PATIENCE,
                follow_redirects=False,
            )
            weakref.finalize(self, self._client.close)
        return self._client


_MAY = "Whoever this credential belongs to may not do that: give it the permission, or another."
_ASK = {
    True: "Set TF_HTTP_USERNAME and TF_HTTP_PASSWORD.",
    False: "Look at TF_HTTP_USERNAME and TF_HTTP_PASSWORD: a token may have run out.",
}


def _headers(body: bytes | None) -> dict[str, str]:
    if body is None:
        return {}
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"content-type": "application/json", "content-md5": base64.b64encode(digest).decode()}
