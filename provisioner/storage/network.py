"""
Files behind a network: where they are, what an answer means, another try, and a probe.

A failure that may pass is tried again, three times in all.  A write that was tried before
and now fails its condition may itself have changed the file: the file is read, and if its
content is the one written, the write succeeded.

Before the first write the files are probed for whether they keep conditions at all: some
stores take the header and ignore it, and two runs would both succeed there.
Reading asks for no permission to write, so it is not preceded by a probe.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Self

import orjson
from msgspec import Struct

from provisioner.errors import BackendUnreachable, StateError, StateTaken, StateUnreadable
from provisioner.http import HttpError, HttpFault
from provisioner.retry import RetryPolicy
from provisioner.runtime import Runtime
from provisioner.storage import Files, StoredFile, conflict, oversize

RETRY = RetryPolicy(tries=3, first=0.2, longest=1.0, factor=5)

_PROBE = "ctxprov-probe.json"
_ADDRESS = re.compile(r"(s3|az|gs)://([a-z0-9][a-z0-9._-]*)(?:/(.*))?", re.IGNORECASE)
PASSING = frozenset({408, 429, *range(500, 600)}) - {501, 505}
"""Statuses after which another try may help."""
_FINAL = {
    HttpFault.UNUSABLE: "cannot be asked",
    HttpFault.UNTRUSTED: "shows a certificate that is not trusted",
    HttpFault.GARBLED: "gave an answer that cannot be read",
}
"""Why there is no reply, where no other try brings one."""


class BucketAddress(Struct, frozen=True):
    """A bucket or a container, and what every name in it begins with."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}"

    @classmethod
    def parse(cls, address: str) -> Self:
        """Raises StateError for anything else."""
        match = _ADDRESS.fullmatch(address)
        if not match:
            raise StateError(
                f"{address!r} is no address of a store: it is s3://BUCKET/PREFIX, gs://BUCKET/"
                "PREFIX or az://CONTAINER/PREFIX."
            )
        prefix = (match[3] or "").strip("/")
        return cls(match[1].lower(), match[2], f"{prefix}/" if prefix else "")

    def where(self, name: str) -> str:
        return f"{self}/{self.prefix}{name}"

    def refusal(self, name: str, status: int | None, reason: str, *, grant: str) -> StateError:
        """What a *status* other than success means for the file *name*; None: there is none."""
        where = self.where(name)
        match status:
            case HTTPStatus.PRECONDITION_FAILED:
                return conflict(where)
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                return StateUnreadable(f"{where}: access was refused ({reason}).  {grant}")
            case HTTPStatus.NOT_FOUND:
                return StateError(
                    f"{self} is not there ({reason}).  Make it, or correct the address."
                )
            case _ if status in PASSING:
                return unreachable(where, reason)
            case _:
                return StateError(f"{where} cannot be used: {reason}.")


def unanswered(where: str, error: HttpError, *, largest: int) -> StateError:
    """What it means that *where* gave no reply, of which *largest* bytes are read at most."""
    if error.fault is HttpFault.OVERSIZE:
        return oversize(f"an answer of {where}", None, largest)
    if reason := _FINAL.get(error.fault):
        return StateError(f"{where} {reason}: {error}.")
    return unreachable(where, error)


def unreachable(where: str, reason: object) -> BackendUnreachable:
    """*where* cannot be had now."""
    return BackendUnreachable(
        f"{where} cannot be reached now: {reason}.  Nothing was changed there, as far as this run "
        "can tell."
    )


class ProbingFiles:
    """Files that may fail for a moment, and may not keep what they promise."""

    def __init__(self, files: Files, runtime: Runtime) -> None:
        self._files = files
        self._runtime = runtime
        self._retry = partial(RETRY.run, on=BackendUnreachable, runtime=runtime)
        self._probing = runtime.lock()
        self._is_probed = False

    def where(self, name: str) -> str:
        return self._files.where(name)

    def read(self, name: str) -> StoredFile | None:
        return self._retry(lambda _: self._files.read(name))

    def confirm(self, name: str) -> None:
        self._retry(lambda _: self._files.confirm(name))

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        self._probe()
        return self._write(name, content, expected)

    def delete(self, name: str, *, expected: str) -> None:
        self._retry(lambda _: self._files.delete(name, expected=expected))

    def _write(self, name: str, content: bytes, expected: str | None) -> str:
        def once(failures: int) -> str:
            try:
                return self._files.write(name, content, expected=expected)
            except StateTaken:
                file = self._files.read(name) if failures else None
                if file is None or file.content != content:
                    raise
                return file.version

        return self._retry(once)

    def _probe(self) -> None:
        with self._probing:
            if not self._is_probed:
                self._try_conditions()
                self._is_probed = True

    def _try_conditions(self) -> None:
        """
        Raise StateError if the store ignores conditions.

        The file stays: while it is there, what other runs probe at the same time changes no answer.
        """
        old = self._version_of_probe()
        with suppress(StateTaken):  # another run's probe came first: that version is stale as well
            self._write(_PROBE, self._probe_bytes(), old)
        self._must_refuse(None, "creates a file that exists already")
        self._must_refuse(old, "replaces a file whose version is another by now")

    def _version_of_probe(self) -> str:
        while (probe := self.read(_PROBE)) is None:
            with suppress(StateTaken):
                return self._write(_PROBE, self._probe_bytes(), None)
        return probe.version

    def _must_refuse(self, expected: str | None, fault: str) -> None:
        try:
            content = self._probe_bytes()
            self._retry(lambda _: self._files.write(_PROBE, content, expected=expected))
        except StateTaken:
            return
        raise StateError(
            f"{self.where(_PROBE)}: this store {fault}, so it keeps no conditions, and two runs "
            "could overwrite each other's state unnoticed.  Nothing else was written.  Use "
            "a store that honours If-Match and If-None-Match, or another backend for the state."
        )

    def _probe_bytes(self) -> bytes:
        """No two are equal, since a version may be a hash of the content."""
        purpose, token = "tries here whether this store keeps conditions", self._runtime.token(8)
        fields = {"ctxprov": purpose, "try": token}
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
