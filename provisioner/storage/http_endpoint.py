"""
Where an HTTP backend is and how it is asked, from an address and the environment.

The name of a state completes the address.  Its lock is there, too (LOCK and UNLOCK), or, where
the address ends as GitLab's and Gitea's do, one level below (POST and DELETE); or wherever
CTXPROV_HTTP_LOCK_ADDRESS says.  Terraform's own variables are read as far as they are about the
server.  Those that name the one state of a Terraform are not, or we would lock that.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import Struct

from provisioner.errors import StateError
from provisioner.storage.http import Credential, Retries

_BELOW = "/terraform/state"
_NAME = "{name}"
_WRITES = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class Route(Struct, frozen=True, kw_only=True):
    """A method, and the address to use it on; `{name}` stands for the state's name."""

    method: str
    address: str

    def of(self, name: str) -> str:
        return self.address.replace(_NAME, _spelled(name))


class Endpoint(Struct, frozen=True, kw_only=True):
    """How states are reached."""

    host: str
    address: str
    lock: Route
    unlock: Route
    credential: Credential | None
    retries: Retries

    def of(self, name: str) -> str:
        """The address of the state *name*."""
        return f"{self.address}/{_spelled(name)}"


def endpoint_at(address: str, environ: Mapping[str, str]) -> Endpoint:
    """Read *address*.  Raises StateError if it is none, or holds a credential."""
    place = _place(address, "the address of the state")
    base = place.geturl().rstrip("/")
    lock, unlock = _doors(base, place, environ)
    return Endpoint(
        host=place.netloc,
        address=base,
        lock=lock,
        unlock=unlock,
        credential=_credential(environ),
        retries=_retries(environ),
    )


def _place(address: str, what: str) -> SplitResult:
    # Whatever is wrong may be that a secret is in it: the address itself is never shown.
    try:
        place = urlsplit(address)
        host, _ = place.hostname, place.port
    except ValueError as error:
        raise StateError(f"{what} is no URL: {error}.") from None
    if place.username is not None or place.password is not None or place.query or place.fragment:
        raise StateError(
            f"{what} holds more than a place.  Keep credentials out of it: set TF_HTTP_USERNAME "
            "and TF_HTTP_PASSWORD, and leave away whatever follows a ? or a #."
        )
    if not host or not address.isprintable() or " " in address:
        raise StateError(f"{what} is no URL of the form https://HOST/PATH.")
    if place.scheme != "https" and not _is_loopback(host):
        raise StateError(f"{what} must begin with https://: state and credentials would be read.")
    return place


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _doors(base: str, place: SplitResult, environ: Mapping[str, str]) -> tuple[Route, Route]:
    said = environ.get("CTXPROV_HTTP_LOCK_ADDRESS")
    if said:
        _check_lock_address(said, place)
        address, methods = said, ("LOCK", "UNLOCK")
    elif base.endswith(_BELOW):
        address, methods = f"{base}/{_NAME}/lock", ("POST", "DELETE")
    else:
        address, methods = f"{base}/{_NAME}", ("LOCK", "UNLOCK")
    lock, unlock = (
        Route(method=environ.get(f"CTXPROV_HTTP_{verb}_METHOD") or usual, address=address)
        for verb, usual in zip(("LOCK", "UNLOCK"), methods, strict=True)
    )
    if address == f"{base}/{_NAME}" and {lock.method.upper(), unlock.method.upper()} & _WRITES:
        raise StateError(
            f"to lock with {lock.method} and unlock with {unlock.method} on the state's own "
            "address would overwrite or delete it: set CTXPROV_HTTP_LOCK_ADDRESS, such as "
            "https://HOST/PATH/{name}/lock."
        )
    return lock, unlock


def _check_lock_address(said: str, place: SplitResult) -> None:
    lock = _place(said, "CTXPROV_HTTP_LOCK_ADDRESS")
    if (lock.scheme, lock.netloc) != (place.scheme, place.netloc) or _NAME not in lock.path:
        raise StateError(
            "CTXPROV_HTTP_LOCK_ADDRESS must be on the server of the state and hold {name} where "
            "the name of the state goes: every state has a lock of its own."
        )


def _credential(environ: Mapping[str, str]) -> Credential | None:
    username = environ.get("TF_HTTP_USERNAME", "")
    password = environ.get("TF_HTTP_PASSWORD", "")
    return Credential(username=username, password=password) if username or password else None


def _retries(environ: Mapping[str, str]) -> Retries:
    usual = Retries()
    return Retries(
        most=_count(environ, "TF_HTTP_RETRY_MAX", usual.most),
        first=_seconds(environ, "TF_HTTP_RETRY_WAIT_MIN", usual.first),
        longest=_seconds(environ, "TF_HTTP_RETRY_WAIT_MAX", usual.longest),
    )


def _seconds(environ: Mapping[str, str], key: str, usual: timedelta) -> timedelta:
    return timedelta(seconds=_count(environ, key, int(usual.total_seconds())))


def _count(environ: Mapping[str, str], key: str, usual: int) -> int:
    text = environ.get(key, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 6):  # noqa: PLR2004  # days
        raise StateError(f"{key} must be a whole number.")
    return int(text)


def _spelled(name: str) -> str:
    return quote(name.removesuffix(".json"))
