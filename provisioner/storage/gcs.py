"""
Google Cloud Storage, through its JSON API.

The JSON API and not the XML one, which speaks like S3: a *generation* is a number that no two
contents of a file share, writes and deletions both take one as their condition, and what is
asked here can be tried against a local server.  `STORAGE_EMULATOR_HOST` names such a server,
which gets no credential.  Otherwise google-auth finds the credentials: a service account or
a workload's identity in `GOOGLE_APPLICATION_CREDENTIALS`, what gcloud has stored, or the
machine's own.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import orjson
from msgspec import Struct

from provisioner.errors import BackendUnreachable, StateError, StateUnreadable
from provisioner.files import LARGEST
from provisioner.http import HttpClient, HttpError, HttpFault, HttpReply
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.probe import ProbingFiles
from provisioner.storage.protocol import Backend, StoredFile, conflict, oversize, unreachable

_ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]*)(?:/(.*))?", re.IGNORECASE)
_SERVER = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_TIMEOUT = 20.0
_CONNECT_TIMEOUT = 5.0
_BOUNDARY = f"ctxprov-{secrets.token_hex(16)}"
_NO_BUCKET = "The specified bucket"
"""How the answer begins if there is no bucket; where a file is absent, it begins otherwise."""
_PASSING = frozenset({408, 429, *range(500, 600)}) - {501, 505}


class Authority(Protocol):
    """What signs a request."""

    def __call__(self, client: HttpClient) -> dict[str, str]:
        """Headers that authenticate a request; may fetch a token through *client*."""
        ...


def backend_at(
    address: str, *, root: Path, environ: Mapping[str, str], clock: Callable[[], datetime]
) -> Backend:
    """The bucket of *address*, with its prefix."""
    del root
    emulator = environ.get("STORAGE_EMULATOR_HOST")
    if not emulator:
        return LeaseBackend(
            ProbingFiles(Bucket(address, server=_SERVER, authority=default())), now=clock
        )
    server = emulator if "://" in emulator else f"http://{emulator}"
    return LeaseBackend(
        ProbingFiles(Bucket(address, server=server, authority=lambda _: {})), now=clock
    )


class Bucket:
    """Files in a bucket."""

    def __init__(
        self, address: str, *, server: str, authority: Authority, largest: int = LARGEST
    ) -> None:
        match = _ADDRESS.fullmatch(address)
        if not match:
            raise StateError(f"{address!r} is no address of a bucket: it is gs://BUCKET/PREFIX.")
        self._bucket, prefix = match[1], (match[2] or "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._server = server.rstrip("/")
        self._authority = authority
        self._http = HttpClient(timeout=_TIMEOUT, connect_timeout=_CONNECT_TIMEOUT, largest=largest)

    def where(self, name: str) -> str:
        return f"gs://{self._bucket}/{self._prefix}{name}"

    def read(self, name: str) -> StoredFile | None:
        answer = self._ask("GET", name, self._url(name), {"alt": "media"})
        is_absent = answer.status == HTTPStatus.NOT_FOUND
        if is_absent and not _message(answer).startswith(_NO_BUCKET):
            return None
        self._check(name, answer)
        return StoredFile(content=answer.body, version=answer.headers.get("x-goog-generation", ""))

    def confirm(self, name: str) -> None:
        """List what begins like the name, which a bucket that is not there cannot."""
        url = f"{self._server}/storage/v1/b/{self._bucket}/o"
        query = {"prefix": self._prefix + name, "maxResults": "1"}
        self._check(name, self._ask("GET", name, url, query))

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        url = f"{self._server}/upload/storage/v1/b/{self._bucket}/o"
        query = {"uploadType": "multipart", "ifGenerationMatch": expected or "0"}
        answer = self._ask("POST", name, url, query, _upload(self._prefix + name, content))
        self._check(name, answer)
        return self._generation(name, answer)

    def delete(self, name: str, *, expected: str) -> None:
        answer = self._ask("DELETE", name, self._url(name), {"ifGenerationMatch": expected})
        if answer.status != HTTPStatus.NOT_FOUND:
            self._check(name, answer)

    def _url(self, name: str) -> str:
        path = quote(self._prefix + name, safe="")
        return f"{self._server}/storage/v1/b/{self._bucket}/o/{path}"

    def _ask(
        self, verb: str, name: str, url: str, query: dict[str, str], content: bytes | None = None
    ) -> HttpReply:
        try:
            headers = self._authority(self._http)
            if content:
                headers["content-type"] = f"multipart/related; boundary={_BOUNDARY}"
            return self._http.request(verb, url, query=query, body=content, headers=headers)
        except (HttpError, ValueError) as error:
            raise self._unanswered(name, error) from error

    def _unanswered(self, name: str, error: Exception) -> StateError:
        match error:
            case HttpError(fault=HttpFault.OVERSIZE):
                return oversize(self.where(name), None, self._http.largest)
            case HttpError(fault=HttpFault.UNUSABLE) | ValueError():
                return StateError(f"{self.where(name)} cannot be asked for: {error}.")
            case _:
                return unreachable(self.where(name), error)

    def _check(self, name: str, answer: HttpReply) -> None:
        """Raise what the status means, if it is no success."""
        status, place = answer.status, self.where(name)
        reason = f"status {status}, {_message(answer)}"
        match status:
            case _ if answer.is_success:
                return
            case 412:
                raise conflict(place)
            case 401 | 403:
                raise StateUnreadable(
                    f"{place}: access was refused ({reason}).  Give credentials that may get, "
                    "list, create and delete objects there, such as the role Storage Object User."
                )
            case 404:
                raise StateError(f"gs://{self._bucket} is not there ({reason}).  Make it first.")
            case _ if status in _PASSING:
                raise unreachable(place, reason)
            case _:
                raise StateError(f"{place} cannot be used: {reason}.")

    def _generation(self, name: str, answer: HttpReply) -> str:
        try:
            match orjson.loads(answer.body):
                case {"generation": str() | int() as generation}:
                    return str(generation)
                case _:
                    pass
        except ValueError:
            pass
        raise StateError(
            f"{self.where(name)}: the server did not say which generation it has written, so it "
            "is not Google Cloud Storage, nor like it."
        )


def default() -> Authority:
    """
    The credentials that google-auth finds, looked for at the first request.

    Raises StateError at once if google-auth is not installed.
    """
    try:
        import google.auth  # noqa: PLC0415  # an extra
        from google.auth import exceptions  # noqa: PLC0415
    except ImportError as error:
        raise StateError(
            "a gs:// backend needs the package google-auth: pip install 'ctxprov[gcs]'."
        ) from error
    lock = threading.Lock()
    credentials: list[google.auth.credentials.Credentials] = []

    def headers(client: HttpClient) -> dict[str, str]:
        def ask(
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            **_: object,
        ) -> _AuthResponse:
            try:
                answer = client.request(method, url, body=body, headers=headers)
            except HttpError as error:
                raise exceptions.TransportError(error) from error  # type: ignore[no-untyped-call]
            return _AuthResponse(answer.status, answer.headers, answer.body)

        signed: dict[str, str] = {}
        try:
            with lock:
                credentials[:] = credentials or [google.auth.default(scopes=[_SCOPE])[0]]
                credentials[0].before_request(  # type: ignore[no-untyped-call]
                    ask, "GET", _SERVER, signed
                )
        except exceptions.TransportError as error:
            raise BackendUnreachable(
                f"no credentials for gs:// can be had now: {error}."
            ) from error
        except exceptions.GoogleAuthError as error:
            raise StateError(f"there are no credentials for gs://: {error}") from error
        return signed

    return headers


class _AuthResponse(Struct, frozen=True):
    """An answer as google-auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def _upload(name: str, content: bytes) -> bytes:
    """A file and its name, in one body."""
    described = orjson.dumps({"name": name, "contentType": "application/json"})
    part, end = f"--{_BOUNDARY}\r\n".encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = part + b"Content-Type: application/json\r\n\r\n"
    return head + described + b"\r\n" + head + content + end


def _message(answer: HttpReply) -> str:
    try:
        match orjson.loads(answer.body):
            case {"error": {"message": str(message)}}:
                return message.rstrip(".")[:200]
            case _:
                pass
    except ValueError:
        pass
    return answer.text.partition("\n")[0].rstrip(".")[:200]
