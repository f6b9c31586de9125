"""
A backend in git: an orphan branch of the repository's own remote.

Every write is a commit on top of the last, pushed with a lease on that tip as compare-and-swap.
A version is the id of the file's blob.  Two writers of different files do not disturb each
other: the one that was overtaken builds its commit again on the new tip, if its own file is
still what it expected.  History only grows, so that servers which refuse to rewrite a
branch are no hindrance; no run fetches more of it than the tip.

A branch that ctxprov has not begun, shown by its marker file, is never written to.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from provisioner.errors import BackendUnreachable, StateError
from provisioner.retry import RetryPolicy
from provisioner.runtime import Runtime
from provisioner.storage import Backend, StoredFile, check_version
from provisioner.storage.git_repository import Pushed, Repository
from provisioner.storage.lease import LeaseBackend

TERM = timedelta(minutes=5)
"""Of a lock.  Each renewal is a commit, so there should be few."""

_LOG = logging.getLogger("provisioner.git")
_SCHEME = "git+branch:"
_PUSHES = RetryPolicy(tries=30, first=0.05, longest=2.0, is_random=True)
_LOOKS = RetryPolicy(tries=3, first=0.2, longest=1.0, factor=5)
"""For what became of a push."""
_MARKER = ".ctxprov"
_MARK = (
    b"This branch holds the state of ctxprov.  ctxprov alone writes to it, and reads no more of "
    b"it than the tip.\n"
)


def backend_at(
    address: str, *, root: Path, environ: Mapping[str, str], runtime: Runtime, top: Path | None
) -> Backend:
    """The branch that *address* names, of the remote of the repository around *root*."""
    del top
    branch = address[len(_SCHEME) :]
    if not branch or branch.startswith("/"):
        raise StateError(f"{address!r} names no branch: it is git+branch:NAME.")
    repository = Repository(
        folder=root, branch=branch, environ=environ, runtime=runtime, warn=_warn
    )
    return LeaseBackend(GitFiles(repository), runtime=runtime, term=TERM)


def _warn(warning: str) -> None:
    _LOG.warning("git: %s", warning)


class _Overtaken(Exception):
    """The branch moved before the push arrived, or the answer to the push was lost."""


@dataclass(repr=False, eq=False)
class GitFiles:
    """The files at the tip of a branch."""

    repository: Repository

    def __post_init__(self) -> None:
        self._runtime = self.repository.runtime
        self._alone = self._runtime.lock()

    def where(self, name: str) -> str:
        return f"{_SCHEME}{self.repository.branch}/{name}"

    def read(self, name: str) -> StoredFile | None:
        with self._alone:
            blob = self.repository.blob(self._tip(), name)
            if blob is None:
                return None
            return StoredFile(content=self.repository.content(blob), version=blob)

    def confirm(self, name: str) -> None:
        """The remote itself has said which branches it has: `read` asked it."""

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        commit = self._change(name, content, expected=expected)
        blob = self.repository.blob(commit, name)
        if blob is None:
            raise AssertionError("a commit holds what was put into it")
        return blob

    def delete(self, name: str, *, expected: str) -> None:
        with self._alone:
            is_absent = self.repository.blob(self._tip(), name) is None
        if not is_absent:
            self._change(name, None, expected=expected)

    def _change(self, name: str, content: bytes | None, *, expected: str | None) -> str:
        """Push the change of one file, and return the commit that has it."""
        lost: str | None = None

        def attempt(_: int) -> str:
            nonlocal lost
            with self._alone:
                tip = self._tip_after(lost)
                version = self.repository.blob(tip, name)
                if lost and version == self.repository.blob(lost, name):
                    return lost
                check_version(self.where(name), version, expected)
                commit = self._commit(tip, name, content)
                match self.repository.push(commit, old=tip):
                    case Pushed.DONE:
                        return commit
                    case Pushed.UNKNOWN:
                        lost = commit
                    case Pushed.OVERTAKEN:
                        pass
            raise _Overtaken

        try:
            return _PUSHES.run(attempt, on=_Overtaken, runtime=self._runtime)
        except _Overtaken:
            raise BackendUnreachable(
                f"{self.where(name)} could not be written in {_PUSHES.tries} tries: the remote "
                f"refuses with {self.repository.refusal}.  If no other run writes to "
                f"{self.repository.branch}, a push that was killed there left a lock: remove the "
                "file that the remote names."
            ) from None

    def _tip(self) -> str | None:
        tip = self.repository.tip()
        if tip and self.repository.blob(tip, _MARKER) is None:
            raise StateError(
                f"the remote has a branch {self.repository.branch} that ctxprov has not begun (it "
                f"has no file {_MARKER}).  State needs a branch of its own: take another name."
            )
        return tip

    def _tip_after(self, lost: str | None) -> str | None:
        """The tip; asked for patiently after a push that may have been *lost*, and may be it."""
        if lost is None:
            return self._tip()
        return _LOOKS.run(lambda _: self._tip(), on=BackendUnreachable, runtime=self._runtime)

    def _commit(self, tip: str | None, name: str, content: bytes | None) -> str:
        files: dict[str, bytes | None] = {name: content}
        if tip is None:
            files[_MARKER] = _MARK
        verb = "Delete" if content is None else "Write"
        # Without the random word two writers may make one commit, and both think they won.
        message = f"{verb} {name}\n\nCtxprov-Write: {self._runtime.token(8)}\n"
        return self.repository.commit(tip, files, message)
