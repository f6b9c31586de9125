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

Each module offers `backend_at(address, *, root, environ, runtime, top) -> Backend`, which opens
nothing and sends nothing: *address* is as it was written, *root* the folder it is relative to (the
repository, for git), *environ* has the credentials and endpoints, *runtime* the clocks; a folder
of this machine is written to inside of *top* alone, if that is given.  It raises StateError for an
address that it cannot read, or an extra that is not installed.  A module is imported when its kind
is asked for, so that no run pays for, or installs, what another needs.

A module implements `Files`, and `lease.LeaseBackend` adds a lock that a dead run cannot keep; a
folder, and a server that has locks of its own, do without.

A backend keeps a handful of files for any number of stacks: states, locks, histories, published
handles.  Its one foundation is the conditional write: create if absent, replace if unchanged; so
two writers lose nothing.  All of it blocks; a program with an event loop gives it a thread.

A backend knows bytes, versions and locks, and nothing of what the bytes mean.  Credentials come
from the environment, and a host that receives one never from a manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from importlib import import_module
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from provisioner.errors import StateError, StateTaken
from provisioner.runtime import Runtime

if TYPE_CHECKING:
    from provisioner.storage.lock_owner import LockOwner

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
    address: str,
    *,
    root: Path,
    environ: Mapping[str, str],
    runtime: Runtime,
    top: Path | None = None,
) -> Backend:
    """
    The backend at *address*; a path is relative to *root*.  Sends nothing yet.

    A folder of this machine is written to inside of *top* alone, if that is given.

    Raises StateError if the address cannot be read, or its backend needs an extra.
    """
    module = import_module(f"provisioner.storage.{_module(address)}")
    backend: Backend = module.backend_at(
        address, root=root, environ=environ, runtime=runtime, top=top
    )
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


def oversize(where: str, size: int | None, most: int) -> StateError:
    """Refuse the file at *where*: *size* bytes, as far as that is known, are over the limit."""
    has = f"has {size:,} bytes" if size is not None else "has too many bytes"
    return StateError(
        f"{where} {has}, and at most {most:,} are read.  No state is so large: give ctxprov an "
        "address of its own, or restore an earlier version.  Nothing was changed."
    )


def check_version(where: str, version: str | None, expected: str | None) -> None:
    """Raise StateTaken unless the *version* of the file at *where* is the *expected* one."""
    if version != expected:
        raise conflict(where)


def conflict(where: str) -> StateTaken:
    """A condition of a write to *where* did not hold."""
    return StateTaken(f"{where} has changed since it was read: another run wrote it.  Run again.")


OnWait: TypeAlias = Callable[["LockOwner | None", timedelta], None]
"""Gets the owner of the lock, where a server names one, and how much longer this run waits."""


class StoredFile(Struct, frozen=True, kw_only=True):
    """A file as it was read."""

    content: bytes
    version: str
    """Names this content in this backend; equal for equal content in some backends."""

    def __repr__(self) -> str:
        return f"StoredFile(version={self.version!r})"


class Files(Protocol):
    """
    A place for small files, known by names such as `support-bot.json` or `a/b.json`.

    Raises nothing but StateError: `StateTaken` if a condition did not hold,
    `BackendUnreachable` if the answer cannot be had now, `StateUnreadable` if access is refused,
    StateError itself for what else needs a person (a store that does not keep conditions).
    """

    def where(self, name: str) -> str:
        """Spell the address of *name* for people; holds no credential."""
        ...

    def read(self, name: str) -> StoredFile | None:
        """The file as it is now; None if there is none.  Sees every write that has returned."""
        ...

    def confirm(self, name: str) -> None:
        """
        Show by another call that the place of *name*, which `read` does not find, is there.

        Then the file is absent rather than out of reach.  The lock that guards *name* shows the
        same.  Raises `StateUnreadable` where the server's answer may mean either.
        """
        ...

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        """
        Replace the file in one step if its version is *expected*, or make it if that is None.

        Returns the new version.  Two writes must never carry equal bytes, since some backends
        name a version by its content: every document of ours carries something fresh.  A write
        whose answer was lost is looked up before it is called a failure.
        """
        ...

    def delete(self, name: str, *, expected: str) -> None:
        """
        Delete the file if its version is *expected*; it is well if there is none.

        Not every store compares and deletes in one step: only for files that are never
        rewritten, or whose lock is held.
        """
        ...


class Lock(Protocol):
    """A lock that is held; one that ends with its run alone needs no more than a `write`."""

    @property
    def is_lost(self) -> bool:
        """Whether another run has it by now, or may have it."""
        return False

    def renew(self) -> bool:
        """
        Renew it, unless that was done a moment ago, and say whether it is still held.

        To be asked immediately before what cannot be undone.
        """
        return not self.is_lost

    @property
    def took_over(self) -> bool:
        """Whether it was taken from a run that never released it."""
        return False

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        """
        The backend's own `write`, which writes nothing if the lock was lost.

        Then it raises `StateTaken` if another run has the lock, `BackendUnreachable` if another
        run may have it.
        """
        ...


class Backend(Files, Protocol):
    """Files, and the locks that guard them."""

    @property
    def keeps_history(self) -> bool:
        """
        Whether it keeps earlier versions of a state by itself, and nothing but states.

        No other file may be put there.
        """
        ...

    def lock(
        self, name: str, who: LockOwner, *, timeout: timedelta, on_wait: OnWait
    ) -> AbstractAsyncContextManager[Lock]:
        """
        Hold the lock that guards *name*, waiting up to *timeout* for its owner.

        Raises `StateLocked` when the time is up.  A run that took it over from one that never
        released it rewrites what it guards before anything else: from then on, every write of
        that run expects a version that is gone.
        """
        ...

    def lock_owner(self, name: str) -> LockOwner | None:
        """Who took the lock that guards *name* and has not released it; None if it is free."""
        ...

    def unlock(self, name: str, lock_id: str) -> None:
        """
        End the lock *lock_id* that guards *name* without its owner.

        Raises `StateTaken` if that lock is not there (any more), and StateError if this
        backend's locks end with their run and cannot be ended otherwise.
        """
        ...


class OpenBackend(Protocol):
    """What `open_backend` does, perhaps with stores of another kind."""

    def __call__(
        self,
        address: str,
        *,
        root: Path,
        environ: Mapping[str, str],
        runtime: Runtime,
        top: Path | None = None,
    ) -> Backend: ...
