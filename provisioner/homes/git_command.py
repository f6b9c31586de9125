"""
The git command: how it is called, and what it means when it fails.

It never prompts, never hangs and runs no hook.  What it says is foreign text, shown without
credentials.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from provisioner.errors import HomeUnreachable, StateError

_WORDS = 600
_QUIET: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
_CREDENTIAL = re.compile(r"(?<=://)[^/@\s]+@")
_REFUSED = re.compile(
    r"permission|denied|authenti|could not read (?:username|password)|not found|forbidden"
    r"|unauthori[sz]ed|not appear to be a git repository|does not exist|dubious ownership"
    r"|returned error: 40[134]",
    re.IGNORECASE,
)


class Said(Struct, frozen=True):
    """What git answered."""

    status: int
    out: bytes
    err: str
    """Its own words in one paragraph, without credentials."""

    @property
    def line(self) -> str:
        return self.out.decode(errors="surrogateescape").strip()

    def failure(self) -> StateError:
        """What it means: to come back later, or to ask a person."""
        if _REFUSED.search(self.err):
            return StateError(
                f"the repository's remote refuses: {self.err}.  Look at its address (git remote "
                "-v) and at the credentials that git has here."
            )
        return HomeUnreachable(f"the repository's remote cannot be reached: {self.err}.")


def run_git(
    *words: str,
    folder: Path,
    environ: Mapping[str, str],
    patience: float,
    content: bytes | None = None,
) -> Said:
    """
    Call git in *folder*.  Seconds of *patience*, then it counts as unreachable.

    Raises StateError if there is no git, HomeUnreachable if it takes too long.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # no shell
            ["git", *words],  # noqa: S607  # whichever git the user has
            cwd=folder,
            env={**environ, **_QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise StateError(
            f"git cannot be run in {folder}: {error.strerror}.  A git+branch: home needs the "
            "git command, 2.32 or later."
        ) from error
    with process:
        try:
            out, err = process.communicate(content, timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise HomeUnreachable(
                f"the repository's remote gave no answer to git {words[0]} within {patience:g} s."
            ) from error
        finally:
            # ssh and the remote helpers are git's children and outlive it if it is killed alone.
            _end(process)
    return Said(process.returncode, out, _words(err))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _words(err: bytes) -> str:
    lines = (line.strip() for line in err.decode(errors="replace").splitlines())
    text = "; ".join(line for line in lines if line and not line.startswith("hint:"))
    return _CREDENTIAL.sub("", text)[:_WORDS].rstrip(".") or "git gives no reason"
