"""
Where an application reads handles from: a file, or a backend that is asked over a network.

Both tell whether there is anything new since the last look, and raise nothing but
`Missing` and `PublishError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from provisioner.environment import process_environment
from provisioner.errors import PublishError, StateError
from provisioner.files import LARGEST, open_regular, read_open
from provisioner.storage import Backend, is_remote, open_backend, split_file


class Missing(Exception):  # it says more than MissingError
    """Nothing was published there, or not yet."""


class Source(Protocol):
    """What is looked at again and again."""

    @property
    def interval(self) -> timedelta:
        """How long what was read is good, unless the caller knows better."""
        ...

    @property
    def pause(self) -> timedelta:
        """What stands in for the interval while the handle asked for has run out."""
        ...

    def read(self) -> bytes | None:
        """What is there if it is new; None if it is what was read last."""
        ...


def source_of(path: str | os.PathLike[str], clock: Callable[[], datetime]) -> Source:
    """The file or the backend that *path* means.  Raises StateError if it makes no sense."""
    address = os.fspath(path)
    if not is_remote(address):
        return FileSource(Path(address))
    place, name = split_file(address)
    return BackendSource(
        open_backend(place, root=Path(), environ=process_environment(), clock=clock), name
    )


class FileSource:
    """A file, which is opened each time, because a network mount may answer stat from memory."""

    interval = timedelta(seconds=1)
    pause = timedelta()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()

    def read(self) -> bytes | None:
        try:
            return self._new_content(open_regular(self._path, follow=True))
        except FileNotFoundError as error:
            self._seen = ()
            raise Missing from error
        except OSError as error:
            raise PublishError(f"it cannot be read: {error.strerror}") from error

    def _new_content(self, descriptor: int) -> bytes | None:
        try:
            status = os.fstat(descriptor)
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return None
            raw = read_open(descriptor, most=LARGEST)
        finally:
            os.close(descriptor)
        self._seen = seen
        return raw


class BackendSource:
    """A file in a backend, known by its version."""

    interval = timedelta(seconds=15)
    pause = timedelta(seconds=1)

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._name = name
        self._seen = ""

    def read(self) -> bytes | None:
        try:
            found = self._backend.read(self._name)
        except StateError as error:
            raise PublishError(str(error)) from error
        if found is None:
            self._seen = ""
            raise Missing
        if found.version == self._seen:
            return None
        self._seen = found.version
        return found.content
