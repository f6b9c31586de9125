"""
Where small files live between runs: on disk, in an object store, in a git branch, behind HTTP.

One protocol, a module per backend.  Decides which backend an address means:

    path                      a folder on this machine               local
    s3://bucket/prefix        S3 and what speaks like it             object_store
    gs://bucket/prefix        Google Cloud Storage                   gcs
    az://container/prefix     Azure Blob Storage                     object_store
    git+branch:NAME           an orphan branch of this repository    git_branch
    https://host/path         the HTTP protocol for Terraform state  http_backend

`http://` goes to `http_backend` as well, which takes it for loopback alone.

Each module offers `backend_at(address, *, root, environ, clock) -> Backend`, which opens nothing
and sends nothing: *address* is as it was written, *root* the folder it is relative to (the
repository, for git), *environ* has the credentials and endpoints, *clock* gives the time.  It
raises StateError for an address that it cannot read, or an extra that is not installed.  A module
is imported when its kind is asked for, so that no run pays for, or installs, what another needs.

A module implements `Files`, and `lease.LeaseBackend` adds a lock that a dead run cannot keep; a
folder, and a server that has locks of its own, do without.

A backend knows bytes, versions and locks, and nothing of what the bytes mean.  Credentials come
from the environment, and a host that receives one never from a manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path, PurePath
from types import MappingProxyType

from provisioner.errors import StateError
from provisioner.storage.protocol import Backend, Lock, OnWait, StoredFile

__all__ = [
    "Backend",
    "Lock",
    "OnWait",
    "StoredFile",
    "is_remote",
    "open_backend",
    "split_file",
]

# One letter, a colon and a slash are a drive.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+|[a-z](?!:[/\\])):", re.IGNORECASE)
_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "s3": "object_store",
        "az": "object_store",
        "gs": "gcs",
        "git+branch": "git_branch",
        "https": "http_backend",
        "http": "http_backend",
    }
)


def open_backend(
    address: str, *, root: Path, environ: Mapping[str, str], clock: Callable[[], datetime]
) -> Backend:
    """
    The backend at *address*; a path is relative to *root*.  Sends nothing yet.

    Raises StateError if the address cannot be read, or its backend needs an extra.
    """
    module = import_module(f"provisioner.storage.{_module(address)}")
    backend: Backend = module.backend_at(address, root=root, environ=environ, clock=clock)
    return backend


def split_file(address: str) -> tuple[str, str]:
    """
    The address of the backend that a file is in, and the file's name there.

    The name is what stands after the last slash.  Raises StateError if there is none.
    """
    if not is_remote(address):
        path = PurePath(address)
        return str(path.parent), path.name
    place, slash, name = address.rpartition("/")
    if not (slash and name) or place.endswith((":", "/")):
        raise StateError(f"{address!r} names no file: add /handles.json, or another name.")
    return place, name


def is_remote(address: str) -> bool:
    """Whether *address* is anything but a path."""
    return _SCHEME.match(address) is not None


def _module(address: str) -> str:
    scheme = _SCHEME.match(address)
    if scheme is None:
        return "local"
    try:
        return _MODULES[scheme[1].lower()]
    except KeyError:
        raise StateError(
            f"{address!r} is no address of a backend: give a folder, s3://BUCKET/PREFIX, "
            "gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, git+branch:NAME or https://HOST/PATH."
        ) from None
