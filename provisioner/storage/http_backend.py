"""
A backend behind HTTP: a server that manages Terraform states.

The protocol has no versions and no conditions, only locks.  So a version names a write by what
stands in the state around it, and every write is made under the state's lock: the run's own, or
one that a bare write takes for itself; the server refuses a write under any other lock.

The server keeps the versions of a state by itself and takes no other file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from msgspec.structs import replace

from provisioner.errors import (
    BackendUnreachable,
    StateError,
    StateLocked,
    StateTaken,
    StateUnreadable,
)
from provisioner.retry import RetryPolicy
from provisioner.runtime import Runtime
from provisioner.storage import Lock, OnWait, StoredFile, check_version
from provisioner.storage.lease import to_its_end
from provisioner.storage.lock_owner import LockOwner, lock_owner_here
from provisioner.storage.state_server import (
    ABSENT,
    DONE,
    HELD,
    ServerAnswer,
    StateServer,
    server_at,
)
from provisioner.storage.terraform_format import (
    TerraformState,
    next_state,
    parse_state,
    state_bytes,
)

_POLL = 2.0
_ALONE = RetryPolicy(tries=120, first=0.02, longest=0.25, is_random=True)
"""For the lock that a bare write takes for itself."""


def backend_at(
    address: str, *, root: Path, environ: Mapping[str, str], runtime: Runtime, top: Path | None
) -> HttpBackend:
    """The states below *address*, with the credential of the environment."""
    del root, top
    return HttpBackend(server_at(address, environ, runtime), environ)


@dataclass(frozen=True, slots=True)
class HttpBackend:
    """The states that one server keeps below an address."""

    server: StateServer
    environ: Mapping[str, str] = field(repr=False)
    keeps_history: ClassVar[bool] = True

    def where(self, name: str) -> str:
        return self.server.where(name)

    def read(self, name: str) -> StoredFile | None:
        now = self._now(name)
        return StoredFile(content=now.content(), version=now.version) if now else None

    def confirm(self, name: str) -> None:
        """A credential without permission gets a 404 as well, so it alone shows nothing."""
        answer = self.server.ask("GET", self.where(name))
        if answer.status == HTTPStatus.NOT_FOUND:
            raise StateUnreadable(
                f"{self.where(name)} cannot be read: the server answered {answer}, which it may "
                "also say to a wrong address or to a credential without permission. If nothing was "
                "applied yet, apply: its lock shows that the address is right."
            )
        self._check(answer, name)

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        """Take the lock, look whether the version is *expected*, and write."""
        with self._alone(name, "write") as lock_id:
            return self.put(name, content, expected=expected, lock_id=lock_id)

    def delete(self, name: str, *, expected: str) -> None:
        with self._alone(name, "delete") as lock_id:
            now = self._now(name)
            if now is None:
                return
            check_version(f"{name} at {self.where(name)}", now.version, expected)
            self._check(self.server.ask("DELETE", _locked(self.where(name), lock_id)), name)

    def put(self, name: str, content: bytes, *, expected: str | None, lock_id: str) -> str:
        """Write under the lock *lock_id*; StateTaken if that is not the lock any more."""
        after = self._now(name)
        check_version(f"{name} at {self.where(name)}", after.version if after else None, expected)
        state = next_state(content, after=after, runtime=self.server.runtime)
        body = state_bytes(state)
        try:
            self._post(name, body, lock_id)
        except BackendUnreachable:
            if not self._stands(name, state):
                self._post_again(name, state, body, lock_id)
        return state.version

    def _post_again(self, name: str, state: TerraformState, body: bytes, lock_id: str) -> None:
        try:
            self._post(name, body, lock_id)
        except StateError:  # a refusal, too, may mean that the first try was late to arrive
            if not self._stands(name, state):
                raise

    def _post(self, name: str, body: bytes, lock_id: str) -> None:
        self._check(self.server.once("POST", _locked(self.where(name), lock_id), body), name)

    def _stands(self, name: str, state: TerraformState) -> bool:
        """Whether *state* was written, as far as the server shows after a lost answer."""
        now = self._now(name)
        return now is not None and now.version == state.version

    def _now(self, name: str) -> TerraformState | None:
        answer = self.server.ask("GET", self.where(name))
        if answer.status in ABSENT or (answer.status == HTTPStatus.OK and not answer.content):
            return None
        self._check(answer, name)
        state = parse_state(answer.content)
        if state is None:
            raise StateError(
                f"{self.where(name)} holds something that ctxprov has not written, such as the "
                "state of a Terraform, or not the whole of it.  Nothing was changed.  Give "
                "ctxprov an address of its own, or restore an earlier version on the server."
            )
        return state

    def _check(self, answer: ServerAnswer, name: str) -> None:
        if answer.status in HELD:
            raise self.loss(name)
        if answer.status not in DONE:
            raise StateError(f"{self.where(name)} answered {answer}.")

    def loss(self, name: str) -> LockLost:
        return LockLost(
            f"the lock of {self.where(name)} was ended.  Nothing was overwritten.  The next run "
            "finds by their labels the caches that this one made."
        )

    @asynccontextmanager
    async def lock(
        self, name: str, who: LockOwner, *, timeout: timedelta, on_wait: OnWait
    ) -> AsyncIterator[Lock]:
        lock = HttpLock(self, name, who)
        try:
            await self._acquire(lock, timeout, on_wait)
            yield lock
        except BaseException:
            with suppress(StateError):  # what ended the run says more
                await to_its_end(self.server.runtime, lock.release)
            raise
        await to_its_end(self.server.runtime, lock.release)

    async def _acquire(self, lock: HttpLock, timeout: timedelta, on_wait: OnWait) -> None:
        deadline = self.server.runtime.monotonic() + timeout.total_seconds()
        while owner := await to_its_end(self.server.runtime, lock.take):
            remaining = deadline - self.server.runtime.monotonic()
            if remaining <= 0:
                raise StateLocked(self._refusal(lock.name, owner))
            on_wait(owner, timedelta(seconds=remaining))
            await self.server.runtime.sleep(min(_POLL, remaining))

    def lock_owner(self, name: str) -> LockOwner | None:
        owner = self.server.try_lock(name, me := self._me("lock status"))
        if owner is None:
            self.server.unlock(name, me)
        return owner

    def unlock(self, name: str, lock_id: str) -> None:
        owner = self.lock_owner(name)
        held = f"{_named(owner)} holds it" if owner else "it is not locked"
        who = replace(self._me("unlock"), id=lock_id)
        if owner is None or owner.id not in {lock_id, ""} or not self.server.unlock(name, who):
            raise StateTaken(f"{self.where(name)} has no lock {lock_id}: {held}.")

    @contextmanager
    def _alone(self, name: str, operation: str) -> Iterator[str]:
        me = self._me(operation)

        def attempt(_: int) -> None:
            if owner := self.server.try_lock(name, me):
                raise StateLocked(self._refusal(name, owner))

        _ALONE.run(attempt, on=StateLocked, runtime=self.server.runtime)
        try:
            yield me.id
        finally:
            self.server.unlock(name, me)

    def _me(self, operation: str) -> LockOwner:
        return lock_owner_here(operation, environ=self.environ, runtime=self.server.runtime)

    def _refusal(self, name: str, owner: LockOwner) -> str:
        end = f"`ctxprov unlock {owner.id}` ends it" if owner.id else "end it on the server"
        return (
            f"{self.where(name)} is locked: {_named(owner)} holds it.  Wait until that run is "
            "done, or give --lock-timeout 5m to wait for it here.  This lock does not run out "
            f"by itself: if that run is dead, {end}."
        )


@dataclass(slots=True)
class HttpLock(Lock):
    """
    A lock on a server, which stays until its owner releases it or a person ends it.

    That a person ended it shows when something is written under it.
    """

    backend: HttpBackend
    name: str
    who: LockOwner
    is_lost: bool = False
    _is_held: bool = False

    def take(self) -> LockOwner | None:
        owner = self.backend.server.try_lock(self.name, self.who)
        self._is_held = owner is None
        return owner

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        if name != self.name:
            return self.backend.write(name, content, expected=expected)
        if self.is_lost:
            raise self.backend.loss(name)
        try:
            return self.backend.put(name, content, expected=expected, lock_id=self.who.id)
        except LockLost:
            self.is_lost = True
            raise

    def release(self) -> None:
        if self._is_held and not self.is_lost:
            self.backend.server.unlock(self.name, self.who)


class LockLost(StateTaken):
    """The server does not know our lock any more."""


def _locked(url: str, lock_id: str) -> str:
    return f"{url}?ID={quote(lock_id, safe='')}"


def _named(owner: LockOwner) -> str:
    """The owner of a lock, and its id if the server names it."""
    return f"{owner}, lock {owner.id}," if owner.id else str(owner)
