"""
Who holds a lock, as text for a run that waits.

The text comes from a file that any program may have written: it is shown, and no more is
believed of it than which lock it names and until when that lock is held.  Whose job a lock
is of stands in its id, the one word that every backend keeps.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from provisioner.documents import utf8
from provisioner.runtime import Runtime
from provisioner.times import moment_text

_JOB_URLS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT")
_MARK = 10
"""Hex digits: not as many as a UUID begins with, which is what a Terraform's lock is named by."""
_JOBS = ("CI_JOB_URL", "BUILDKITE_JOB_ID")
"""Each names one job by itself."""
_PARTS = (
    ("GITHUB_RUN_ID", "GITHUB_REPOSITORY", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "RUNNER_NAME"),
    ("CIRCLE_BUILD_URL", "CIRCLE_NODE_INDEX"),
    ("BUILD_URL", "NODE_NAME", "EXECUTOR_NUMBER", "STAGE_NAME"),
)
"""
In a CI that sets the first, these and the machine name a job together.

The legs of a matrix share what GitHub calls a job, and parallel stages a build of Jenkins.
"""

ZonedMoment: TypeAlias = Annotated[datetime, Meta(tz=True)]
UNKNOWN_SINCE = datetime.min.replace(tzinfo=UTC)
"""The `since` of a lock whose server does not say when it was taken."""


class LockOwner(Struct, frozen=True, kw_only=True):
    """A run that holds a lock: the file of the lock, which may have keys of a newer ctxprov."""

    id: str
    """
    Names this run's locks; no other run has it.  In CI it begins with the job's mark.

    Empty of a run that the server does not name.
    """
    who: str
    """`user@host`."""
    pid: int | None
    """None of a Terraform, which does not say."""
    operation: str
    """Empty if the server does not say."""
    since: ZonedMoment
    job: str | None = None
    """Where its log can be read, if it runs in CI."""
    commit: str | None = None
    until: ZonedMoment | None = None
    """When the lock runs out unless it is renewed; None if it lives as long as its run."""

    def __str__(self) -> str:
        commit = f" of {self.commit[:12]}" if self.commit else ""
        pid = "" if self.pid is None else f"pid {self.pid}"
        details = ", ".join(filter(None, (f"{self.operation}{commit}", pid, self.job)))
        since = "" if self.since == UNKNOWN_SINCE else f" since {_second(self.since)}"
        return f"{self.who}{f' ({details})' if details else ''}{since}"


def lock_owner_here(operation: str, *, environ: Mapping[str, str], runtime: Runtime) -> LockOwner:
    """This very run, which begins now."""
    return LockOwner(
        id=f"{mark_of(environ) or ''}{runtime.token(6)}",
        who=runtime.user(),
        pid=runtime.pid(),
        operation=operation,
        since=runtime.now(),
        job=_job(environ),
        commit=_first(environ, _COMMITS),
    )


def mark_of(environ: Mapping[str, str]) -> str | None:
    """
    What the ids of a CI job's locks begin with; None outside of CI.

    The steps of a job have one mark, and of two jobs that run at a time each has its own.
    """
    identity = _first(environ, _JOBS) or _together(environ)
    if identity is None:
        return None
    digest = sha256(identity.encode(errors="surrogateescape")).hexdigest()
    return f"{digest[:_MARK]}-"


def _together(environ: Mapping[str, str]) -> str | None:
    keys = next((keys for keys in _PARTS if environ.get(keys[0])), None)
    if keys is None:
        return None
    return "\n".join([*(f"{key}={environ.get(key, '')}" for key in keys), platform.node()])


def _second(moment: datetime) -> str:
    return moment_text(moment.replace(microsecond=0))


def _job(environ: Mapping[str, str]) -> str | None:
    match environ:
        case {"GITHUB_SERVER_URL": host, "GITHUB_REPOSITORY": name, "GITHUB_RUN_ID": run}:
            return f"{host}/{name}/actions/runs/{run}"
        case _:
            return _first(environ, _JOB_URLS)


def _first(environ: Mapping[str, str], keys: Iterable[str]) -> str | None:
    return next((environ[key] for key in keys if environ.get(key)), None)


_DECODER = msgspec.json.Decoder(LockOwner)


def lock_owner_bytes(owner: LockOwner) -> bytes:
    fields = msgspec.to_builtins(owner)
    if owner.since == UNKNOWN_SINCE:
        fields["since"] = None
    return msgspec.json.encode(fields) + b"\n"


def parse_lock_owner(raw: bytes) -> LockOwner | None:
    """Read what `lock_owner_bytes` wrote of a run with a `since`; None if it is anything else."""
    try:
        owner = _DECODER.decode(utf8(raw))
        until = owner.until.astimezone(UTC) if owner.until else None
        return replace(owner, since=owner.since.astimezone(UTC), until=until)
    except (OverflowError, ValueError, RecursionError):  # a time outside the years 1 to 9999
        return None
