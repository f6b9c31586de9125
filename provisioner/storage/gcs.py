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

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import orjson
from msgspec import Struct

from provisioner.errors import BackendUnreachable, StateError
from provisioner.files import LARGEST
from provisioner.http import HttpClient, HttpError, HttpFault, HttpReply
from provisioner.runtime import Runtime
from provisioner.storage import Backend, StoredFile
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.network import BucketAddress, ProbingFiles, unanswered, unreachable

_SERVER = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_TIMEOUT = 20.0
_CONNECT_TIMEOUT = 5.0
_NO_BUCKET = "The specified bucket"
"""How the answer begins if there is no bucket; where a file is absent, it begins otherwise."""
_GRANT = (
    "Give credentials that may get, list, create and delete objects there, such as the role "
    "Storage Object User."
)

Authority: TypeAlias = Callable[[HttpClient], dict[str, str]]
"""Gives the headers that authenticate a request; may fetch a token through the client."""


def backend_at(
    address: str, *, root: Path, environ: Mapping[str, str], runtime: Runtime, top: Path | None
) -> Backend:
    """The bucket of *address*, with its prefix."""
    del root, top
    server = environ.get("STORAGE_EMULATOR_HOST", "")
    if server:
        server = server if "://" in server else f"http://{server}"
        bucket = Bucket(address, server=server, authority=lambda _: {}, runtime=runtime)
    else:
        bucket = Bucket(address, server=_SERVER, authority=default(runtime), runtime=runtime)
    return LeaseBackend(ProbingFiles(bucket, runtime), runtime=runtime)


class Bucket:
    """Files in a bucket."""

    def __init__(
        self,
        address: str,
        *,
        server: str,
        authority: Authority,
        runtime: Runtime,
        largest: int = LARGEST,
    ) -> None:
        self._address = BucketAddress.parse(address)
        self._server = server.rstrip("/")
        self._objects = f"/storage/v1/b/{self._address.bucket}/o"
        self._authority = authority
        self._boundary = f"ctxprov-{runtime.token(16)}"
        self._http = HttpClient(timeout=_TIMEOUT, connect_timeout=_CONNECT_TIMEOUT, largest=largest)

    def where(self, name: str) -> str:
        return self._address.where(name)

    def read(self, name: str) -> StoredFile | None:
        answer = self._ask("GET", name, self._path(name), {"alt": "media"})
        is_absent = answer.status == HTTPStatus.NOT_FOUND
        if is_absent and not _message(answer).startswith(_NO_BUCKET):
            return None
        self._check(name, answer)
        return StoredFile(content=answer.body, version=answer.headers.get("x-goog-generation", ""))

    def confirm(self, name: str) -> None:
        """List what begins like the name, which a bucket that is not there cannot."""
        query = {"prefix": self._address.prefix + name, "maxResults": "1"}
        self._check(name, self._ask("GET", name, self._objects, query))

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        query = {"uploadType": "multipart", "ifGenerationMatch": expected or "0"}
        upload = _upload(self._address.prefix + name, content, self._boundary)
        answer = self._ask("POST", name, f"/upload{self._objects}", query, upload)
        self._check(name, answer)
        return self._generation(name, answer)

    def delete(self, name: str, *, expected: str) -> None:
        answer = self._ask("DELETE", name, self._path(name), {"ifGenerationMatch": expected})
        if answer.status != HTTPStatus.NOT_FOUND:
            self._check(name, answer)

    def _path(self, name: str) -> str:
        return f"{self._objects}/{quote(self._address.prefix + name, safe='')}"

    def _ask(
        self, verb: str, name: str, path: str, query: dict[str, str], content: bytes | None = None
    ) -> HttpReply:
        try:
            headers = self._authority(self._http)
            if content:
                headers["content-type"] = f"multipart/related; boundary={self._boundary}"
            url = self._server + path
            return self._http.request(verb, url, query=query, body=content, headers=headers)
        except HttpError as error:
            if error.fault is HttpFault.GARBLED:  # what was asked may have been done
                raise unreachable(self.where(name), error) from error
            raise unanswered(self.where(name), error, largest=self._http.largest) from error
        except ValueError as error:
            raise StateError(f"{self.where(name)} cannot be asked for: {error}.") from error

    def _check(self, name: str, answer: HttpReply) -> None:
        """Raise what the status means, if it is no success."""
        if not answer.is_success:
            reason = f"status {answer.status}, {_message(answer)}"
            raise self._address.refusal(name, answer.status, reason, grant=_GRANT)

    def _generation(self, name: str, answer: HttpReply) -> str:
        match _fields(answer):
            case {"generation": str() | int() as generation}:
                return str(generation)
            case _:
                pass
        raise StateError(
            f"{self.where(name)}: the server did not say which generation it has written, so it "
            "is not Google Cloud Storage, nor like it."
        )


def default(runtime: Runtime) -> Authority:
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
    lock = runtime.lock()
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


def _upload(name: str, content: bytes, boundary: str) -> bytes:
    """A file and its name, in one body."""
    described = orjson.dumps({"name": name, "contentType": "application/json"})
    part, end = f"--{boundary}\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()
    head = part + b"Content-Type: application/json\r\n\r\n"
    return head + described + b"\r\n" + head + content + end


def _message(answer: HttpReply) -> str:
    match _fields(answer):
        case {"error": {"message": str(message)}}:
            pass
        case _:
            message = answer.text.partition("\n")[0]
    return message.rstrip(".")[:200]


def _fields(answer: HttpReply) -> object:
    try:
        return orjson.loads(answer.body)
    except ValueError:
        return None
