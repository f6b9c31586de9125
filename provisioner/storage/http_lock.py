"""
The lock of a state on a server: tried, and let go of.

Such a lock does not run out, so none may be left behind that nobody knows of: one that may
have been made although no answer came is let go of at once, or told by its id.  The protocol
cannot ask who holds a lock; to find out is to try it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from provisioner.errors import BackendUnreachable, StateError
from provisioner.storage.http import Answer, Wire
from provisioner.storage.http_endpoint import Endpoint, Route
from provisioner.storage.lock_owner import LockOwner
from provisioner.storage.terraform_format import lock_bytes, parse_lock

HELD = frozenset({HTTPStatus.LOCKED, HTTPStatus.CONFLICT})
ABSENT = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})
DONE = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})


@dataclass(frozen=True, slots=True)
class HttpLocks:
    """The locks of the states at an endpoint."""

    endpoint: Endpoint
    wire: Wire

    def seize(self, name: str, who: LockOwner) -> LockOwner | None:
        """
        Try the lock once; None if it is ours now, else whose it is.

        Raises BackendUnreachable if nobody can tell; what may have been locked is then let go of.
        """
        try:
            answer = self._knock(self.endpoint.lock, name, who)
        except BackendUnreachable as error:
            self._undo(name, who, error)
            raise
        if answer.status in HELD:
            return self._other(answer, name, who)
        if answer.status not in DONE:
            raise StateError(
                f"{self._where(name)} cannot be locked: {self.endpoint.lock.method} "
                f"{self.endpoint.lock.of(name)} was answered {answer}.  Either no states live at "
                "that address, or its locks live elsewhere: set CTXPROV_HTTP_LOCK_ADDRESS, "
                "CTXPROV_HTTP_LOCK_METHOD and CTXPROV_HTTP_UNLOCK_METHOD."
            )
        return None

    def _other(self, answer: Answer, name: str, who: LockOwner) -> LockOwner | None:
        there = parse_lock(answer.content)
        if there.id == who.id:
            return None  # the answer to an earlier try was lost
        if not there.id and answer.is_late:
            lost = BackendUnreachable(
                f"{self._where(name)} may have been locked by this very run: an answer was lost, "
                "and the server does not name who holds it.  Try again."
            )
            if self._undo(name, who, lost):
                raise lost
        return there

    def _undo(self, name: str, who: LockOwner, error: BackendUnreachable) -> bool:
        """Let go of what may be ours; False if the server knows that it is not."""
        try:
            return self._ended(name, who)
        except BackendUnreachable:
            raise BackendUnreachable(
                f"{error}  If {self._where(name)} was locked nevertheless, that does not run out: "
                f"end it with `ctxprov unlock {who.id}`."
            ) from error

    def release(self, name: str, who: LockOwner) -> bool:
        """End the lock of *who*; False if the server knows no such lock (any more)."""
        try:
            return self._ended(name, who)
        except BackendUnreachable as error:
            raise BackendUnreachable(
                f"{error}  The lock of {self._where(name)} does not run out: end it with "
                f"`ctxprov unlock {who.id}`."
            ) from error

    def _ended(self, name: str, who: LockOwner) -> bool:
        answer = self._knock(self.endpoint.unlock, name, who)
        if answer.status in HELD or answer.status == HTTPStatus.NOT_FOUND:
            return answer.is_late  # then it may have been an earlier try that ended it
        if answer.status not in DONE:
            raise StateError(
                f"{self._where(name)} is still locked: {self.endpoint.unlock.method} "
                f"{self.endpoint.unlock.of(name)} was answered {answer}."
            )
        return True

    def _knock(self, door: Route, name: str, who: LockOwner) -> Answer:
        return self.wire.ask(door.method, door.of(name), lock_bytes(who, path=self._where(name)))

    def _where(self, name: str) -> str:
        return self.endpoint.of(name)


def named(there: LockOwner) -> str:
    """Name whoever holds a lock, as far as it is known."""
    return f"{there}, lock {there.id}," if there.id else str(there)
