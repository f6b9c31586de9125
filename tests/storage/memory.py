"""Files in memory that keep conditions, and can be made to fail like a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock

from provisioner.errors import BackendUnreachable, StateTaken
from provisioner.storage import StoredFile


class MemoryFiles:
    """A version is a hash of the content, as in the least helpful of the real stores."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.is_down = False
        self.loses_answers = False
        self.before_write: Callable[[], None] = lambda: None
        self._lock = Lock()

    def where(self, name: str) -> str:
        return f"memory:{name}"

    def read(self, name: str) -> StoredFile | None:
        self._answer()
        with self._lock:
            content = self.files.get(name)
        return None if content is None else StoredFile(content=content, version=_version(content))

    def confirm(self, name: str) -> None:
        del name
        self._answer()

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        self._answer()
        self.before_write()
        with self._lock:
            self._compare(name, expected)
            self.files[name] = content
        if self.loses_answers:
            raise BackendUnreachable("the answer was lost")
        return _version(content)

    def delete(self, name: str, *, expected: str) -> None:
        self._answer()
        with self._lock:
            if name in self.files:
                self._compare(name, expected)
                del self.files[name]

    def _answer(self) -> None:
        if self.is_down:
            raise BackendUnreachable("there is no answer")

    def _compare(self, name: str, expected: str | None) -> None:
        there = self.files.get(name)
        if (None if there is None else _version(there)) != expected:
            raise StateTaken(f"{name} has changed")


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
