"""
Models of where states live: a store of conditional writes, and a server of Terraform states.

Decides which version of a file stands, which write is accepted, and who has a lock; a scenario
makes files lost, rolled back or torn, and locks end.  Knows no lease, no retry and nothing of
what the bytes mean, but for the server, which takes states alone.  Imports nothing of
`provisioner`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import orjson
from msgspec import Struct

from tests.simulate.fate import Verb
from tests.simulate.log import (
    FileDeleted,
    FileRead,
    FileWritten,
    LockChanged,
    Log,
    WriteRefused,
)
from tests.simulate.wire import WireReply, WireRequest, server_call

_JSON = {"content-type": "application/json"}


class Conflict(Exception):
    """The condition of a write did not hold; *version* is the one that stands, if any."""

    def __init__(self, version: str | None) -> None:
        super().__init__(version)
        self.version = version


class FileVersion(Struct, frozen=True):
    """The content of a file, and its name in the store."""

    content: bytes
    version: str


class VersionedFiles:
    """
    What a store keeps, and what befalls it; *now* gives virtual seconds.

    A version never comes again, or is a hash of the content where *is_etag*.
    """

    def __init__(
        self,
        name: str,
        log: Log,
        now: Callable[[], float],
        random: Random,
        *,
        is_etag: bool = False,
    ) -> None:
        self.name = name
        self.ignores_conditions = False
        """Whether it takes a condition and keeps none."""
        self._log = log
        self._now = now
        self._random = random
        self._is_etag = is_etag
        self._files: dict[str, FileVersion] = {}
        self._accepted: dict[str, list[bytes]] = {}
        self._versions = count(1)

    def names(self) -> list[str]:
        """All files that are there, sorted."""
        return sorted(self._files)

    def current(self, file: str) -> FileVersion | None:
        """The file as it stands, for a test: no run reads it."""
        return self._files.get(file)

    def read(self, run: int, file: str) -> FileVersion | None:
        """The file as it stands; None if there is none."""
        version = self._version(file)
        self._log.add(
            FileRead(at=self._now(), run=run, store=self.name, file=file, version=version)
        )
        return self._files.get(file)

    # --- what a scenario does to it -------------------------------------------------------------

    def lose(self, file: str) -> bool:
        """The file is gone; False if there was none."""
        is_there = file in self._files
        if is_there:
            self._drop(0, file)
        return is_there

    def roll_back(self, file: str) -> bool:
        """An earlier content stands again, as from a backup; False if there was no other."""
        stands = self._files.get(file)
        earlier = [
            content
            for content in self._accepted.get(file, ())
            if stands is None or content != stands.content
        ]
        if earlier:
            self._put(0, file, self._random.choice(earlier))
        return bool(earlier)

    def tear(self, file: str) -> bool:
        """Half of the file is left; False if there was none."""
        stands = self._files.get(file)
        if stands:
            self._put(0, file, stands.content[: len(stands.content) // 2])
        return stands is not None

    def restore(self, file: str) -> None:
        """What a run wrote last stands again, as a person repairs it."""
        if accepted := self._accepted.get(file):
            self._put(0, file, accepted[-1])

    # --- versions -------------------------------------------------------------------------------

    def _version(self, file: str) -> str | None:
        stands = self._files.get(file)
        return stands.version if stands else None

    def _put(self, run: int, file: str, content: bytes) -> str:
        if run:
            self._accepted.setdefault(file, []).append(content)
        digest = hashlib.sha256(content).hexdigest()[:16]
        version = digest if self._is_etag else f"v{next(self._versions)}"
        replaced = self._version(file)
        self._files[file] = FileVersion(content, version)
        self._log.add(
            FileWritten(
                at=self._now(),
                run=run,
                store=self.name,
                file=file,
                replaced=replaced,
                version=version,
                content=content,
            )
        )
        return version

    def _drop(self, run: int, file: str) -> None:
        version = self._files.pop(file).version
        self._log.add(
            FileDeleted(at=self._now(), run=run, store=self.name, file=file, version=version)
        )


class FileStore(VersionedFiles):
    """A store such as S3: conditional writes, and deletes."""

    def write(self, run: int, file: str, content: bytes, expected: str | None) -> str:
        """Replace *expected*, or make the file if that is None.  Raises Conflict."""
        self._expect(run, file, expected)
        return self._put(run, file, content)

    def remove(self, run: int, file: str, expected: str) -> None:
        """Delete the file if its version is *expected*, or there is none.  Raises Conflict."""
        if file in self._files:
            self._expect(run, file, expected)
            self._drop(run, file)

    def _expect(self, run: int, file: str, expected: str | None) -> None:
        version = self._version(file)
        if version != expected and not self.ignores_conditions:
            self._log.add(
                WriteRefused(
                    at=self._now(),
                    run=run,
                    store=self.name,
                    file=file,
                    expected=expected,
                    version=version,
                )
            )
            raise Conflict(version)


class StateServer(VersionedFiles):
    """
    A server of Terraform states, such as GitLab or Gitea: no conditions, but locks.

    A file is the path of a state, without the slash that it begins with.  A write is accepted
    from the owner of the lock, and without a lock from any that names none.  Where *is_gitlab*,
    it says 409 for a lock, repeats what the asker sent of it, and 204 for a state without content.
    """

    def __init__(
        self,
        name: str,
        log: Log,
        now: Callable[[], float],
        random: Random,
        *,
        is_gitlab: bool = False,
    ) -> None:
        super().__init__(name, log, now, random)
        self._is_gitlab = is_gitlab
        self._locks: dict[str, dict[str, Any]] = {}
        self._locked_once: set[str] = set()

    def lock_of(self, file: str) -> str | None:
        """The id of the lock of *file*; None if it is free."""
        lock_id = self._locks.get(file, {}).get("ID")
        return lock_id if isinstance(lock_id, str) else None

    def locked(self) -> list[str]:
        """The files that are locked, sorted."""
        return sorted(self._locks)

    def end_lock(self, file: str) -> bool:
        """A person ends the lock of *file*; False if it is free."""
        is_locked = file in self._locks
        if is_locked:
            self._set_lock(0, file, None)
        return is_locked

    def handle(self, request: WireRequest) -> WireReply:
        """Answer *request* now."""
        digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest())
        sent = request.headers.get("content-md5", digest.decode())
        if sent != digest.decode():
            return _message(400, "the body is not what its MD5 says")
        verb, file = server_call(request)
        match verb:
            case Verb.LOCK:
                return self._lock(request, file)
            case Verb.UNLOCK:
                return self._unlock(request, file)
            case Verb.READ:
                return self._get(request, file)
            case _:
                return self._change(verb, request, file)

    def fail(self, status: int) -> WireReply:
        """Answer with *status* in place of a request, which is not carried out."""
        return _message(status, "the server cannot answer now")

    def _get(self, request: WireRequest, file: str) -> WireReply:
        stands = self.read(request.run, file)
        if stands:
            return WireReply(status=200, headers=_JSON, body=stands.content)
        if self._is_gitlab and file in self._locked_once:
            return WireReply(status=204)
        return _message(404, "there is no such state")

    def _change(self, verb: Verb, request: WireRequest, file: str) -> WireReply:
        if self.lock_of(file) != request.query.get("ID") and not self.ignores_conditions:
            return WireReply(status=423, body=orjson.dumps(self._locks.get(file, {})))
        match verb:
            case Verb.WRITE if _is_state(request.body):
                self._put(request.run, file, request.body)
                return WireReply(status=200)
            case Verb.REMOVE if file in self._files:
                self._drop(request.run, file)
                return WireReply(status=200)
            case Verb.REMOVE:
                return _message(404, "there is no such state")
            case _:
                return _message(400, "this is no state")

    def _lock(self, request: WireRequest, file: str) -> WireReply:
        asked = _fields(request.body)
        lock = self._locks.get(file)
        if not isinstance(asked.get("ID"), str):
            return _message(400, "a lock has an ID")
        if lock and self._is_gitlab:
            kept = {key: lock[key] for key in ("ID", "Created")}
            return WireReply(status=409, body=orjson.dumps({**asked, **kept, "Who": "the-user"}))
        if lock:
            return WireReply(status=423, body=orjson.dumps(lock))
        self._set_lock(request.run, file, asked)
        return WireReply(status=200)

    def _unlock(self, request: WireRequest, file: str) -> WireReply:
        lock = self._locks.get(file, {})
        if lock.get("ID") != _fields(request.body).get("ID"):
            return WireReply(status=409, body=orjson.dumps(lock))
        self._set_lock(request.run, file, None)
        return WireReply(status=200)

    def _set_lock(self, run: int, file: str, lock: dict[str, Any] | None) -> None:
        if lock:
            self._locks[file] = lock
            self._locked_once.add(file)
        else:
            del self._locks[file]
        owner = lock["ID"] if lock else None
        self._log.add(LockChanged(at=self._now(), run=run, store=self.name, file=file, owner=owner))


def _message(status: int, message: str) -> WireReply:
    return WireReply(status=status, headers=_JSON, body=orjson.dumps({"message": message}))


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _is_state(body: bytes) -> bool:
    match _fields(body):
        case {
            "version": 4,
            "terraform_version": str(version),
            "serial": int(serial),
            "lineage": str(lineage),
            "resources": [*_],
            "outputs": {**_rest},
        }:
            return bool(version and serial and lineage)
        case _:
            return False
