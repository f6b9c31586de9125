"""
S3 and Azure Blob Storage, and what speaks like them, through obstore.

Credentials and endpoints come from the environment: `AWS_*` for `s3://`, `AZURE_*` for
`az://`.  A version is the ETag, which in S3 is a hash of the content.  Neither library nor S3
deletes on a condition, so a deletion compares first, and there is a moment in between.
Every exception of obstore is translated here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, cast

from provisioner.errors import StateError, StateUnreadable
from provisioner.files import LARGEST
from provisioner.http import environment_fault
from provisioner.runtime import Runtime
from provisioner.storage import Backend, StoredFile, check_version, oversize
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.network import BucketAddress, ProbingFiles, unreachable

if TYPE_CHECKING:
    from obstore.store import (
        AzureConfig,
        AzureStore,
        ClientConfig,
        RetryConfig,
        S3Config,
        S3Store,
    )

_SETTINGS = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
    "az": (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_STORAGE_USE_EMULATOR",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_AUTHORITY_HOST",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_USE_AZURE_CLI",
    ),
}
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_STORAGE_ENDPOINT")
_GRANT = "Give credentials in the environment that may read, write, list and delete there."
_REFUSED = frozenset({401, 403, 404})
_STATUSES: Mapping[str, int] = {
    "PreconditionError": HTTPStatus.PRECONDITION_FAILED,
    "AlreadyExistsError": HTTPStatus.PRECONDITION_FAILED,
    "NotModifiedError": HTTPStatus.PRECONDITION_FAILED,
    "PermissionDeniedError": HTTPStatus.FORBIDDEN,
    "UnauthenticatedError": HTTPStatus.FORBIDDEN,
    "NotFoundError": HTTPStatus.NOT_FOUND,
    "FileNotFoundError": HTTPStatus.NOT_FOUND,
}
"""What obstore has an exception of its own for; a GenericError has the status in its text."""
# Tries are counted by ProbingFiles, which must know of each; a dead endpoint is given up soon.
_ONCE: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=20)}
_TIMEOUT = timedelta(seconds=20)
_CONNECT = timedelta(seconds=5)


def backend_at(
    address: str, *, root: Path, environ: Mapping[str, str], runtime: Runtime, top: Path | None
) -> Backend:
    """The bucket or container of *address*, with its prefix."""
    del root, top
    return LeaseBackend(ProbingFiles(ObjectStore(address, environ), runtime), runtime=runtime)


class ObjectStore:
    """Files in a bucket or a container."""

    def __init__(self, address: str, environ: Mapping[str, str], *, largest: int = LARGEST) -> None:
        self._address = BucketAddress.parse(address)
        self._largest = largest
        self._environ = environ
        try:
            import obstore.exceptions  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise StateError(
                f"{self._address} needs the package obstore: pip install 'ctxprov[stores]'."
            ) from error
        self._obstore = obstore
        with self._translated(""):
            self._store = _open(self._address, environ)

    def where(self, name: str) -> str:
        return self._address.where(name)

    def read(self, name: str) -> StoredFile | None:
        with self._translated(name):
            try:
                answer = self._obstore.get(self._store, self._path(name))
                if (size := answer.meta["size"]) > self._largest:
                    raise oversize(self.where(name), size, self._largest)
                return StoredFile(content=bytes(answer.bytes()), version=answer.meta["e_tag"] or "")
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
                    raise
                return None

    def confirm(self, name: str) -> None:
        """List what begins like the name, which a bucket that is not there cannot."""
        with self._translated(name):
            next(iter(self._obstore.list(self._store, self._path(name), chunk_size=1)), None)

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        with self._translated(name):
            answer = self._obstore.put(
                self._store,
                self._path(name),
                content,
                mode="create" if expected is None else {"e_tag": expected},
                use_multipart=False,
            )
        return answer["e_tag"] or ""

    def delete(self, name: str, *, expected: str) -> None:
        file = self.read(name)
        if file is None:
            return
        check_version(self.where(name), file.version, expected)
        with self._translated(name):
            self._obstore.delete(self._store, self._path(name))

    def _path(self, name: str) -> str:
        return self._address.prefix + name

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        base = self._obstore.exceptions.BaseError
        try:
            yield
        except (base, ValueError, NotImplementedError, OSError) as error:
            # Without a cause: what obstore says may hold a signed address.
            raise self._refusal(name, error, type(error).__name__) from None

    def _refusal(self, name: str, error: Exception, kind: str) -> StateError:
        reason, status = _reason(error), _STATUSES.get(kind)
        if kind == "GenericError":
            status = _status(error)
            if status in _REFUSED:  # of a listing; other calls have types for it
                return StateUnreadable(f"{self.where(name)} cannot be read: {reason}.")
            if status is None and "HTTP error" in str(error):
                return unreachable(self.where(name), environment_fault(self._environ) or reason)
        return self._address.refusal(name, status, reason, grant=_GRANT)


def _open(address: BucketAddress, environ: Mapping[str, str]) -> S3Store | AzureStore:
    from obstore.store import AzureStore, S3Store  # noqa: PLC0415  # an extra

    settings = {key: environ[key] for key in _SETTINGS[address.scheme] if environ.get(key)}
    client: ClientConfig = {"connect_timeout": _CONNECT, "timeout": _TIMEOUT}
    if any(settings.get(key, "").startswith("http://") for key in _ENDPOINTS):
        client["allow_http"] = True
    # Both take the names of the environment for those of their own settings.
    if address.scheme == "az":
        azure = cast("AzureConfig", settings)
        return AzureStore(address.bucket, config=azure, client_options=client, retry_config=_ONCE)
    aws = cast("S3Config", settings | {"AWS_CONDITIONAL_PUT": "etag"})
    return S3Store(address.bucket, config=aws, client_options=client, retry_config=_ONCE)


def _status(error: Exception) -> int | None:
    match = re.search(r"status code: (\d{3})", str(error))
    return int(match[1]) if match else None


def _reason(error: Exception) -> str:
    """What the server said, without the address, which may be a signed one."""
    text = str(error)
    code, message = (re.search(rf"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message"))
    status = _status(error)
    reasons = [f"status {status}"] if status else []
    reasons += [tag[1].splitlines()[0][:200] for tag in (code, message) if tag and tag[1]]
    if reasons:
        return ", ".join(reasons).rstrip(".")
    if "HTTP error" in text:
        return "no answer"
    return re.sub(r"\S+://\S+", "…", text.partition("\n")[0])[:200].rstrip(".")
