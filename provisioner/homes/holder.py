"""
Who holds a lock, as text for whoever has to wait.

The text comes from a file that anybody may have written: it is shown, never believed.
"""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from provisioner.cache import Json
from provisioner.times import moment_text, parse_moment

_JOB_URLS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A run that holds a lock."""

    who: str
    """`user@host`."""
    pid: int
    operation: str
    since: datetime
    job: str | None = None
    """Where its log can be read, if it runs in CI."""

    def __str__(self) -> str:
        job = f", {self.job}" if self.job else ""
        since = moment_text(self.since.replace(microsecond=0))
        return f"{self.who} ({self.operation}, pid {self.pid}{job}) since {since}"


def holder_here(operation: str, *, since: datetime, environ: Mapping[str, str]) -> Holder:
    """This very run."""
    return Holder(
        who=f"{_user()}@{platform.node() or 'localhost'}",
        pid=os.getpid(),
        operation=operation,
        since=since,
        job=_job(environ),
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
            return next((environ[key] for key in _JOB_URLS if environ.get(key)), None)


def holder_bytes(holder: Holder) -> bytes:
    words: dict[str, Json] = {
        "who": holder.who,
        "pid": holder.pid,
        "operation": holder.operation,
        "since": moment_text(holder.since),
        "job": holder.job,
    }
    return orjson.dumps(words, option=orjson.OPT_APPEND_NEWLINE)


def parse_holder(raw: bytes) -> Holder | None:
    """Read what `holder_bytes` wrote; None if it is anything else."""
    try:
        match orjson.loads(raw):
            case {
                "who": str(who),
                "pid": int(pid),
                "operation": str(operation),
                "since": str(since),
                "job": (None | str()) as job,
            }:
                moment = parse_moment(since)
                return Holder(who=who, pid=pid, operation=operation, since=moment, job=job)
            case _:
                return None
    except ValueError:
        return None
