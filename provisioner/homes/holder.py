"""
Who holds a lock, as text for whoever has to wait.

The text comes from a file that anybody may have written: it is shown, and no more is
believed of it than which lock it names and until when that lock is held.
"""

from __future__ import annotations

import getpass
import os
import platform
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

import orjson
from msgspec import Struct

from provisioner.cache import Json
from provisioner.times import moment_text, parse_moment

_JOB_URLS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT")


class Holder(Struct, frozen=True, kw_only=True):
    """A run that holds a lock."""

    id: str
    """Names this run's locks; no other run has it."""
    who: str
    """`user@host`."""
    pid: int | None
    """None of a Terraform, which does not tell."""
    operation: str
    since: datetime
    job: str | None = None
    """Where its log can be read, if it runs in CI."""
    commit: str | None = None
    until: datetime | None = None
    """When the lock runs out unless it is renewed; None if it lives as long as its run."""

    def __str__(self) -> str:
        commit = f" of {self.commit[:12]}" if self.commit else ""
        job = f", {self.job}" if self.job else ""
        since = moment_text(self.since.replace(microsecond=0))
        pid = "" if self.pid is None else f", pid {self.pid}"
        return f"{self.who} ({self.operation}{commit}{pid}{job}) since {since}"


def holder_here(operation: str, *, since: datetime, environ: Mapping[str, str]) -> Holder:
    """This very run."""
    return Holder(
        id=secrets.token_hex(6),
        who=f"{_user()}@{platform.node() or 'localhost'}",
        pid=os.getpid(),
        operation=operation,
        since=since,
        job=_job(environ),
        commit=_first(environ, _COMMITS),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a number without a name
        return "somebody"


def _job(environ: Mapping[str, str]) -> str | None:
    match environ:
        case {"GITHUB_SERVER_URL": host, "GITHUB_REPOSITORY": name, "GITHUB_RUN_ID": run}:
            return f"{host}/{name}/actions/runs/{run}"
        case _:
            return _first(environ, _JOB_URLS)


def _first(environ: Mapping[str, str], keys: Iterable[str]) -> str | None:
    return next((environ[key] for key in keys if environ.get(key)), None)


def holder_bytes(holder: Holder) -> bytes:
    words: dict[str, Json] = {
        "id": holder.id,
        "who": holder.who,
        "pid": holder.pid,
        "operation": holder.operation,
        "since": moment_text(holder.since),
        "job": holder.job,
        "commit": holder.commit,
        "until": moment_text(holder.until) if holder.until else None,
    }
    return orjson.dumps(words, option=orjson.OPT_APPEND_NEWLINE)


def parse_holder(raw: bytes) -> Holder | None:
    """Read what `holder_bytes` wrote; None if it is anything else."""
    try:
        match orjson.loads(raw):
            case {
                "id": str(lock_id),
                "who": str(who),
                "pid": (None | int()) as pid,
                "operation": str(operation),
                "since": str(since),
                "job": (None | str()) as job,
                "commit": (None | str()) as commit,
                "until": (None | str()) as until,
            }:
                return Holder(
                    id=lock_id,
                    who=who,
                    pid=pid,
                    operation=operation,
                    since=parse_moment(since),
                    job=job,
                    commit=commit,
                    until=parse_moment(until) if until else None,
                )
            case _:
                return None
    except ValueError:
        return None
