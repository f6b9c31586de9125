"""
How git is started: where, in which environment, for how long, and what its failure means.

A checkout is untrusted: its files may form a bare repository whose configuration names
programs, and git runs those for anyone who starts it there.  So git runs in the top folder of
the checkout only: the nearest folder above with a `.git` entry, which no commit can contain,
found by `files` rather than by git.  Git must agree that this is the top, which is also where it
checks who owns the folder: no `safe.directory` and no explicit git dir ever comes from here,
since either would switch that check off.  The environment loses every variable that leads git
to another repository, and gains settings that run nothing and ask no question.

What git is asked is the caller's business, and so is what a remote's refusal means.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import GitFailed, GitMissing, GitTimeout
from provisioner.files import top_of

TIMEOUT = 300.0
"""Seconds that one call of git may take; a partial clone may fetch what it lacks meanwhile."""

UNSET = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EXTERNAL_DIFF",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""
Variables that lead git to another repository, or to other objects than it has.

Git sets many of them for its hooks.  GIT_CONFIG_COUNT and its kind, GIT_SSH and GIT_ASKPASS
stay: a CI passes its tokens and its `safe.directory` by them.
"""

SET: Mapping[str, str] = {
    "GCM_INTERACTIVE": "never",
    "GIT_EDITOR": "false",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}

SETTINGS = (
    ("safe.bareRepository", "explicit"),
    ("protocol.ext.allow", "never"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.pager", "cat"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.quotePath", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
)
"""Appended to GIT_CONFIG_COUNT, so that they win over every configuration file."""

_LENGTH = 600
_CREDENTIAL = re.compile(r"(?<=://)[^/\s]*@")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


class GitAnswer(Struct, frozen=True):
    """What one call of git wrote, and its exit status."""

    status: int
    out: bytes
    err: str
    """Standard error in one paragraph, without credentials."""

    @property
    def text(self) -> str:
        """Standard output; bytes that are not UTF-8 become surrogates, as in file names."""
        return self.out.decode(errors="surrogateescape")

    @property
    def line(self) -> str:
        return self.text.strip()


class Git(Struct, frozen=True, kw_only=True):
    """
    Git in the folder *top* of a checkout, as `git_at` opens it.

    `warn` receives each warning that git writes beside an answer, without credentials; it
    is foreign text.
    """

    top: Path
    environ: Mapping[str, str]
    """Hardened: see `hardened`."""
    warn: Callable[[str], None]
    timeout: float = TIMEOUT
    """Seconds that one call may take."""

    def __repr__(self) -> str:
        return f"Git(top={self.top!r})"

    def path(self, name: str) -> Path:
        """Where what git calls *name*, from the top, is in the working tree."""
        return self.top / path_from(name)

    def run(
        self,
        *arguments: str,
        content: bytes | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> GitAnswer:
        """
        Run one command with *content* on its standard input.

        Raises GitFailed if git cannot be started (GitMissing if there is none), GitTimeout if it
        takes too long.  A status other than 0 is an answer.
        """
        environ = {**self.environ, **(variables or {})}
        program = shutil.which("git", path=environ.get("PATH", os.defpath))
        if program is None:
            raise GitMissing(
                "this needs the git command, 2.32 or later, and PATH has none: install it."
            )
        try:
            process = subprocess.Popen(  # noqa: S603  # no shell
                [program, *arguments],
                cwd=self.top,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GitFailed(f"git cannot be run in {self.top}: {error.strerror}.") from error
        with process:
            try:
                out, err = process.communicate(content, timeout=self.timeout)
            except subprocess.TimeoutExpired as error:
                message = f"git {arguments[0]} gave no answer within {self.timeout:g} s."
                raise GitTimeout(message) from error
            finally:
                _end(process)
        lines = [line.strip() for line in err.decode(errors="replace").splitlines()]
        if process.returncode == 0:
            for line in lines:
                if line.startswith("warning: "):
                    self.warn(_paragraph([line.removeprefix("warning: ")]))
        reasons = (line for line in lines if line and not line.startswith("hint:"))
        return GitAnswer(process.returncode, out, _paragraph(reasons))

    def output(
        self,
        *arguments: str,
        content: bytes | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run one command that must succeed.  Raises GitFailed with git's own words."""
        answer = self.run(*arguments, content=content, variables=variables)
        if answer.status != 0:
            raise GitFailed(f"git {arguments[0]} failed in {self.top}: {answer.err}.")
        return answer.text

    def configured(self, settings: Iterable[tuple[str, str]]) -> Git:
        """The same git under more *settings*, which win over every configuration file."""
        return replace(self, environ=_appended(self.environ, settings))

    def below(self, top: Path) -> Git:
        """
        The same git in another checkout, such as a submodule, whose top is *top*.

        Raises GitFailed if git refuses it, such as one of another owner.
        """
        return _confirmed(replace(self, top=top))


def git_at(
    folder: Path,
    *,
    environ: Mapping[str, str],
    warn: Callable[[str], None],
    timeout: float = TIMEOUT,
) -> Git:
    """
    Open git for the checkout around *folder*.

    Raises GitFailed if there is none, or if git refuses it, such as one of another owner.
    """
    top = top_of(folder)
    if top is None:
        raise GitFailed(
            f"{folder} is not in a git repository: neither it nor a folder above it has a .git."
        )
    return _confirmed(Git(top=top, environ=hardened(environ), warn=warn, timeout=timeout))


def hardened(
    environ: Mapping[str, str], settings: Iterable[tuple[str, str]] = ()
) -> Mapping[str, str]:
    """
    *environ* as git gets it, with *settings* of the caller below those of this module.

    PATH loses its relative folders: git runs in the checkout, where those would be looked up.
    """
    variables = {key: value for key, value in environ.items() if key not in UNSET}
    if path := variables.get("PATH"):
        variables["PATH"] = os.pathsep.join(filter(os.path.isabs, path.split(os.pathsep)))
    return _appended({**variables, **SET}, (*settings, *SETTINGS))


def commit_of(git: Git, name: str) -> str | None:
    """The id of the commit that *name* means here; None if there is none of that name."""
    answer = git.run("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return answer.line if answer.status == 0 and is_commit(answer.line) else None


def is_commit(text: str) -> bool:
    """Whether *text* is the whole id of an object."""
    return _COMMIT.fullmatch(text) is not None


def path_from(text: str) -> Path:
    """The path that git writes as *text*, independent of this machine's encoding of names."""
    return Path(os.fsdecode(text.encode(errors="surrogateescape")))


def text_from(path: Path) -> str:
    """*path* as git writes it: UTF-8, with slashes; the inverse of `path_from`."""
    return os.fsencode(path).decode(errors="surrogateescape").replace(os.sep, "/")


def _appended(environ: Mapping[str, str], settings: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    count = environ.get("GIT_CONFIG_COUNT", "")
    numbered = list(enumerate(settings, int(count) if count.isdecimal() else 0))
    return {
        **environ,
        **{f"GIT_CONFIG_KEY_{at}": key for at, (key, _) in numbered},
        **{f"GIT_CONFIG_VALUE_{at}": value for at, (_, value) in numbered},
        "GIT_CONFIG_COUNT": str(numbered[-1][0] + 1) if numbered else count or "0",
    }


def _confirmed(git: Git) -> Git:
    """*git*, if it agrees with us about the top of the checkout."""
    answer = git.run("rev-parse", "--show-toplevel")
    if answer.status != 0:
        raise GitFailed(f"git refuses the repository {git.top}: {answer.err}.")
    try:
        is_same = git.top.samefile(path_from(answer.text.removesuffix("\n")))
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        raise GitFailed(
            f"git refuses the repository {git.top}: rev-parse --show-toplevel answers "
            f"{answer.line!r}. Repair {git.top / '.git'}, or unset its core.worktree."
        )
    return git


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and its children: ssh and remote helpers outlive it if it is killed alone."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _paragraph(lines: Iterable[str]) -> str:
    text = _CREDENTIAL.sub("", "; ".join(lines))
    return text[:_LENGTH].rstrip(".") or "git gives no reason"
