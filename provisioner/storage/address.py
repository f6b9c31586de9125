"""
Which backend an address means.

The module of a backend is imported only when its kind is asked for, so that nobody pays for, or
installs, what another needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path, PurePath
from types import MappingProxyType

from provisioner.errors import StateError
from provisioner.storage.protocol import Backend

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
    The backend at *address*; a path is relative to *root*.  Asks nobody yet.

    Raises StateError if the address makes no sense or its backend needs an extra.
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
        raise StateError(
            f"{address!r} names no file: add /handles.json, or what it is to be called."
        )
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
            f"{address!r} is no place that ctxprov knows: give a folder, s3://BUCKET/PREFIX, "
            "gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, git+branch:NAME or https://HOST/PATH."
        ) from None
