"""
A server of states: where it is, by an address and the environment, and how it is asked.

The name of a state completes the address.  Its lock is there, too (LOCK and UNLOCK), or, where
the address ends as GitLab's and Gitea's do, one level below (POST and DELETE); or wherever
CTXPROV_HTTP_LOCK_ADDRESS says.  Terraform's own variables are read as far as they are about the
server.  Those that name the one state of a Terraform are not, or that would be locked.

Decides what an answer means to any request, what is worth another try, and what becomes of a
lock whose answer was lost: such a lock does not run out, so one that may have been made is
released at once, or named by its id.  The protocol cannot ask who holds a lock; to find out is
to try it.  Knows nothing of states.  The credential goes to one host and is never shown; no
redirect is followed.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import BackendUnreachable, StateError, StateUnreadable
from provisioner.files import LARGEST
from provisioner.http import NO_SECRET, HttpClient, HttpError, Secret, Transport
from provisioner.retry import RetryPolicy
from provisioner.runtime import Runtime
from provisioner.storage.lock_owner import LockOwner
from provisioner.storage.network import PASSING, unanswered
from provisioner.storage.terraform_format import lock_bytes, parse_lock

_BELOW = "/terraform/state"
_NAME = "{name}"
HELD = frozenset({HTTPStatus.LOCKED, HTTPStatus.CONFLICT})
ABSENT = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})
DONE = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_WRITES = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_TIMEOUT = 60.0
_CONNECT_TIMEOUT = 10.0
_LONGEST = 200
_PERMISSION = "This credential lacks the permission: grant it, or give another credential."
_ASK = {
    True: "Set TF_HTTP_USERNAME and TF_HTTP_PASSWORD.",
    False: "Look at TF_HTTP_USERNAME and TF_HTTP_PASSWORD: a token may have run out.",
}


class ServerAnswer(Struct, frozen=True, kw_only=True):
    """What the server answered."""

    status: int
    content: bytes
    text: str
    """The beginning of it as one line, without the credential."""
    is_late: bool = False
    """Whether an earlier answer to the same was lost, so that it may have been done before."""

    def __str__(self) -> str:
        return f"{self.status}{': ' if self.text else ''}{self.text}"


@dataclass(frozen=True, kw_only=True)
class StateServer:
    """The states below one address, and the connections to their server."""

    host: str
    address: str
    lock_address: str
    """Of the lock of a state, for whose name `{name}` stands."""
    lock_method: str
    unlock_method: str
    login: tuple[str, str] | None = field(repr=False)
    """User and password."""
    retry: RetryPolicy
    largest: int = LARGEST
    """Bytes of an answer that is read."""
    runtime: Runtime
    transport: Transport | None = None
    """In place of connections."""

    @cached_property
    def _secret(self) -> Secret:
        return Secret(self.login[1], "***") if self.login else NO_SECRET

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient(
            timeout=_TIMEOUT,
            connect_timeout=_CONNECT_TIMEOUT,
            largest=self.largest,
            login=self.login,
            secret=self._secret,
            transport=self.transport,
        )

    def where(self, name: str) -> str:
        """The address of the state *name*."""
        return f"{self.address}/{_spelled(name)}"

    def lock_of(self, name: str) -> str:
        """The address of the lock of the state *name*."""
        return self.lock_address.replace(_NAME, _spelled(name))

    def ask(self, method: str, url: str, body: bytes | None = None) -> ServerAnswer:
        """Send a request that may be sent again, until there is an answer."""
        return self.retry.run(
            lambda failures: replace(self.once(method, url, body), is_late=failures > 0),
            on=BackendUnreachable,
            runtime=self.runtime,
        )

    def once(self, method: str, url: str, body: bytes | None = None) -> ServerAnswer:
        """
        Send a request.

        Raises BackendUnreachable where another try may help, StateError where a person must.
        """
        try:
            reply = self._http.request(method, url, body=body, headers=_headers(body))
        except HttpError as error:
            raise unanswered(self.host, error, largest=self.largest) from error
        line = " ".join(reply.body[:_LONGEST].decode(errors="replace").split())
        text = self._secret.redact(line)
        answer = ServerAnswer(status=reply.status, content=reply.body, text=text)
        self._check(answer, reply.headers)
        return answer

    def try_lock(self, name: str, who: LockOwner) -> LockOwner | None:
        """
        Try the lock once; None if it is ours now, else whose it is.

        Raises BackendUnreachable if no answer came; a lock that may be ours is then released.
        """
        try:
            answer = self._request(self.lock_method, name, who)
        except BackendUnreachable as error:
            self.unlock(name, who, after=error)
            raise
        if answer.status in HELD:
            return self._other(answer, name, who)
        if answer.status not in DONE:
            raise StateError(
                f"{self.where(name)} cannot be locked: {self.lock_method} "
                f"{self.lock_of(name)} was answered {answer}.  Either no states live at "
                "that address, or its locks live elsewhere: set CTXPROV_HTTP_LOCK_ADDRESS, "
                "CTXPROV_HTTP_LOCK_METHOD and CTXPROV_HTTP_UNLOCK_METHOD."
            )
        return None

    def _other(self, answer: ServerAnswer, name: str, who: LockOwner) -> LockOwner | None:
        owner = parse_lock(answer.content)
        if owner.id == who.id:
            return None  # the answer to an earlier try was lost
        if not owner.id and answer.is_late:
            lost = BackendUnreachable(
                f"{self.where(name)} may have been locked by this very run: an answer was "
                "lost, and the server does not name who holds it.  Try again."
            )
            if self.unlock(name, who, after=lost):
                raise lost
        return owner

    def unlock(self, name: str, who: LockOwner, *, after: BackendUnreachable | None = None) -> bool:
        """
        End the lock of *who*; False if the server knows no such lock (any more).

        *after* is the error after which it is not certain whether there is one.
        """
        try:
            return self._ended(name, who)
        except BackendUnreachable as error:
            perhaps = ", if it was made," if after else ""
            raise BackendUnreachable(
                f"{after or error}  The lock of {self.where(name)}{perhaps} does not run out: end "
                f"it with `ctxprov unlock {who.id}`."
            ) from error

    def _ended(self, name: str, who: LockOwner) -> bool:
        answer = self._request(self.unlock_method, name, who)
        if answer.status in HELD or answer.status == HTTPStatus.NOT_FOUND:
            return answer.is_late  # then it may have been an earlier try that ended it
        if answer.status not in DONE:
            raise StateError(
                f"{self.where(name)} is still locked: {self.unlock_method} "
                f"{self.lock_of(name)} was answered {answer}."
            )
        return True

    def _request(self, method: str, name: str, who: LockOwner) -> ServerAnswer:
        return self.ask(method, self.lock_of(name), lock_bytes(who, path=self.where(name)))

    def _check(self, answer: ServerAnswer, headers: Mapping[str, str]) -> None:
        """Raise what means the same after any request."""
        host = self.host
        sentence = f"{host} answered {answer}"
        match answer.status:
            case HTTPStatus.UNAUTHORIZED:
                raise StateUnreadable(f"{sentence}.  {_ASK[self.login is None]}")
            case HTTPStatus.FORBIDDEN:
                raise StateUnreadable(f"{sentence}.  {_PERMISSION}")
            case status if status in PASSING:
                raise BackendUnreachable(f"{sentence}.  Try again later.")
            case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
                place = self._secret.redact(headers.get("location", "nowhere"))
                raise StateError(
                    f"{host} redirects to {place}.  Credentials go to no other place than "
                    "the address that was given: if that is where states live, give it."
                )
            case HTTPStatus.OK if "html" in headers.get("content-type", ""):
                raise StateError(
                    f"{host} answered with a page for people, perhaps to sign in: this is "
                    "not the address of a state, or the credentials are missing."
                )


def server_at(
    address: str,
    environ: Mapping[str, str],
    runtime: Runtime,
    transport: Transport | None = None,
) -> StateServer:
    """Read *address*.  Raises StateError if it is none, or holds a credential."""
    url = _url(address, "the address of the state")
    base = url.geturl().rstrip("/")
    lock_address, *usual = _lock_at(base, url, environ)
    methods = [
        environ.get(f"CTXPROV_HTTP_{verb}_METHOD") or method
        for verb, method in zip(("LOCK", "UNLOCK"), usual, strict=True)
    ]
    if lock_address == f"{base}/{_NAME}" and not _WRITES.isdisjoint(map(str.upper, methods)):
        raise StateError(
            f"to lock with {methods[0]} and unlock with {methods[1]} on the state's own address "
            "would overwrite or delete it: set CTXPROV_HTTP_LOCK_ADDRESS, such as "
            "https://HOST/PATH/{name}/lock."
        )
    login = environ.get("TF_HTTP_USERNAME", ""), environ.get("TF_HTTP_PASSWORD", "")
    return StateServer(
        host=url.netloc,
        address=base,
        lock_address=lock_address,
        lock_method=methods[0],
        unlock_method=methods[1],
        login=login if any(login) else None,
        runtime=runtime,
        transport=transport,
        retry=RetryPolicy(
            tries=1 + _count(environ, "TF_HTTP_RETRY_MAX", 2),  # Terraform leaves out the first
            first=_count(environ, "TF_HTTP_RETRY_WAIT_MIN", 1),
            longest=_count(environ, "TF_HTTP_RETRY_WAIT_MAX", 30),
        ),
    )


def _url(address: str, what: str) -> SplitResult:
    # It may hold a secret by mistake: the address itself is never shown.
    try:
        url = urlsplit(address)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise StateError(f"{what} is no URL: {error}.") from None
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise StateError(
            f"{what} holds more than a host and a path.  Keep credentials out of it: set "
            "TF_HTTP_USERNAME and TF_HTTP_PASSWORD, and remove everything from a ? or a # on."
        )
    if not host or not address.isprintable() or " " in address:
        raise StateError(f"{what} is no URL of the form https://HOST/PATH.")
    if url.scheme != "https" and not _is_loopback(host):
        raise StateError(f"{what} must begin with https://: state and credentials would be read.")
    return url


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def _lock_at(base: str, url: SplitResult, environ: Mapping[str, str]) -> tuple[str, str, str]:
    """The address of a lock, and the usual methods there to lock and to unlock."""
    if address := environ.get("CTXPROV_HTTP_LOCK_ADDRESS"):
        lock = _url(address, "CTXPROV_HTTP_LOCK_ADDRESS")
        if (lock.scheme, lock.netloc) != (url.scheme, url.netloc) or _NAME not in lock.path:
            raise StateError(
                "CTXPROV_HTTP_LOCK_ADDRESS must be on the server of the state and hold {name} "
                "where the name of the state goes: every state has a lock of its own."
            )
        return address, "LOCK", "UNLOCK"
    if base.endswith(_BELOW):
        return f"{base}/{_NAME}/lock", "POST", "DELETE"
    return f"{base}/{_NAME}", "LOCK", "UNLOCK"


def _count(environ: Mapping[str, str], key: str, usual: int) -> int:
    text = environ.get(key, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 6):  # noqa: PLR2004  # days
        raise StateError(f"{key} must be a whole number.")
    return int(text)


def _spelled(name: str) -> str:
    return quote(name.removesuffix(".json"))


def _headers(body: bytes | None) -> dict[str, str]:
    if body is None:
        return {}
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"content-type": "application/json", "content-md5": base64.b64encode(digest).decode()}
