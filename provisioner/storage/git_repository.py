"""
One branch of a remote, by way of a private repository.

The user's repository is asked for its configuration and left alone: its working tree, index,
HEAD, refs and objects are never touched, its hooks never run, and a full clone does not become a
shallow one.  Of its own configuration the private repository gets the remote's URL, what
authenticates there, headers and an identity (`_BORROWED`), and nothing else that names a program.
Commits are fetched one deep into the private repository and pushed from there.  What is in them
is the caller's business.
"""

from __future__ import annotations

import re
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeAlias

from msgspec.structs import replace

from provisioner.errors import BackendUnreachable, GitFailed, GitTimeout, StateError
from provisioner.files import LARGEST
from provisioner.git import Git, GitAnswer, git_at, hardened
from provisioner.runtime import Runtime
from provisioner.storage import oversize

TIMEOUT = 60.0
"""Seconds that one call of git may take."""

_BORROWED = re.compile(
    r"(?:http|credential|ssh|url|user|author|committer)\."
    r"|core\.(?:sshcommand|askpass)$"
    r"|remote\.(?s:.*)\.(?:url|pushurl|proxy|proxyauthmethod)$"
)
"""
URL and proxy, credentials, headers, identity.

An ssh command is a credential: with its input `ssh-key`, actions/checkout writes the key into
`core.sshCommand` of the checkout.  What only names a program (`remote.NAME.uploadpack` and
`vcs`, `core.gitProxy`) and what permits a protocol is left behind.
"""
_OUR_IDENTITY: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "ctxprov",
    "GIT_AUTHOR_EMAIL": "ctxprov@localhost",
    "GIT_COMMITTER_NAME": "ctxprov",
    "GIT_COMMITTER_EMAIL": "ctxprov@localhost",
}
_REFUSED = re.compile(
    r"permission|denied|authenti|could not read (?:username|password)|not found|forbidden"
    r"|unauthori[sz]ed|not appear to be a git repository|does not exist|dubious ownership"
    r"|returned error: 40[134]|transport '.*' not allowed",
    re.IGNORECASE,
)
_OVERTAKEN = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock|failed to (?:update|lock)|old value"
    r"|reference already exists"
)


class Pushed(Enum):
    """What became of a push."""

    DONE = auto()
    OVERTAKEN = auto()
    UNKNOWN = auto()
    """The answer was lost."""


_Setting: TypeAlias = tuple[str, str]
"""Key and value."""


@dataclass(kw_only=True)
class Repository:
    """
    The branch *branch* of the remote of the repository around *folder*.  Not for two threads.

    `warn` receives what git warns of.  Raises StateError for what needs a person,
    BackendUnreachable for what may pass.
    """

    folder: Path
    branch: str
    environ: Mapping[str, str] = field(repr=False)
    runtime: Runtime = field(repr=False)
    warn: Callable[[str], None] = field(repr=False)
    timeout: float = TIMEOUT
    largest: int = LARGEST
    """Bytes of a file that is read."""
    refusal: str = ""
    """Why the remote did not take the last push that another may have overtaken, as it says."""

    def tip(self) -> str | None:
        """The commit at the tip of the branch now, fetched; None if there is no branch."""
        rows = _rows(self._asked("ls-remote", "--symref", self._remote, "HEAD", self._ref))
        if (f"ref: {self._ref}", "HEAD") in rows:
            raise StateError(
                f"{self.branch} is the default branch of the repository's remote.  State needs a "
                "branch of its own: take another name."
            )
        tip = next((value for value, name in rows if name == self._ref), None)
        if tip is None or tip == self._id(self._ref):
            return tip
        refspec = f"+{self._ref}:{self._ref}"
        self._asked("fetch", "--quiet", "--depth=1", "--no-tags", self._remote, refspec)
        return self._id(self._ref)

    def blob(self, commit: str | None, name: str) -> str | None:
        """The id of the file *name* in *commit*; None if there is no file, or no commit."""
        return self._id(f"{commit}:{name}") if commit else None

    def content(self, blob: str) -> bytes:
        """What is in the file *blob*.  Raises StateError if that is larger than a state can be."""
        size = int(self._done("cat-file", "-s", blob))
        if size > self.largest:
            raise oversize(f"{self.branch}, blob {blob[:12]},", size, self.largest)
        return self._done("cat-file", "blob", blob).encode(errors="surrogateescape")

    def commit(self, parent: str | None, files: Mapping[str, bytes | None], message: str) -> str:
        """Make a commit of *files* on top of *parent*; None as content removes the file."""
        index = Path(self._private.environ["GIT_DIR"], f"index-{self.runtime.token(8)}")
        if parent:
            self._done("read-tree", parent, index=index)
        entries = "".join(self._entry(name, content) for name, content in files.items())
        self._done("update-index", "-z", "--index-info", content=entries.encode(), index=index)
        tree = self._done("write-tree", index=index).strip()
        index.unlink()
        parents = ("-p", parent) if parent else ()
        return self._done("commit-tree", tree, *parents, content=message.encode()).strip()

    def _entry(self, name: str, content: bytes | None) -> str:
        blob = self._done("hash-object", "-w", "--stdin", content=content or b"").strip()
        return f"{'000000' if content is None else '100644'} {blob}\t{name}\0"

    def push(self, commit: str, *, old: str | None) -> Pushed:
        """Make *commit* the tip of the branch if its tip is still *old*."""
        lease = f"--force-with-lease={self._ref}:{old or ''}"
        target = f"{commit}:{self._ref}"
        try:
            answer = self._git("push", "--porcelain", lease, self._remote, target)
            lines = answer.line.splitlines()
            rejected = next((line for line in lines if line.startswith("!")), None)
            if answer.status != 0 and rejected is None:
                raise _failure(answer)
        except BackendUnreachable:
            return Pushed.UNKNOWN
        if rejected is None:
            self._done("update-ref", self._ref, commit)
            return Pushed.DONE
        reason = rejected.rpartition("\t")[2]
        if _OVERTAKEN.search(rejected):
            self.refusal = f"{reason} ({answer.err})"
            return Pushed.OVERTAKEN
        raise StateError(
            f"the repository's remote does not take a push to {self.branch}: {reason} "
            f"({answer.err}).  If the branch is protected, allow the account of ctxprov to push to "
            "it, or take another branch."
        )

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def _id(self, name: str) -> str | None:
        """The id of what git calls *name* in the private repository; None if there is none."""
        answer = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return answer.line if answer.status == 0 else None

    def _asked(self, *arguments: str) -> GitAnswer:
        answer = self._git(*arguments)
        if answer.status != 0:
            raise _failure(answer)
        return answer

    def _git(self, *arguments: str) -> GitAnswer:
        return _run(self._private, *arguments)

    def _done(
        self, *arguments: str, content: bytes | None = None, index: Path | None = None
    ) -> str:
        variables = {"GIT_INDEX_FILE": str(index)} if index else {}
        with _translated():
            return self._private.output(*arguments, content=content, variables=variables)

    @cached_property
    def _user(self) -> Git:
        """Git in the user's repository, which is only asked."""
        try:
            git = git_at(self.folder, environ=self.environ, warn=self.warn, timeout=self.timeout)
        except GitFailed as error:
            raise StateError(f"git+branch:{self.branch} cannot be used: {error}") from error
        self._check_name(git)
        return git

    @cached_property
    def _settings(self) -> list[_Setting]:
        return _settings_of(self._user)

    @cached_property
    def _private(self) -> Git:
        """Git in the user's top folder, which a remote's path is relative to, on our git dir."""
        git = self._user
        form = _run(git, "rev-parse", "--show-object-format").line
        folder = mkdtemp(prefix="ctxprov-git-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with _translated():
            init = ("init", "--quiet", "--bare", "--template=", f"--object-format={form}")
            git.output(*init, folder)
        bare = replace(git, environ={**git.environ, "GIT_DIR": folder})
        borrowed = _missing(self._settings, Counter(_settings_of(bare)))
        hard = hardened(self.environ, borrowed)
        environ = {**_identity(self._settings), **hard, "GIT_DIR": folder}
        return replace(git, environ=environ)

    def _check_name(self, git: Git) -> None:
        # Git makes no such branch any more; a HEAD among branches moves origin/HEAD of every clone.
        is_misread = self.branch.startswith("-") or self.branch.upper() == "HEAD"
        if is_misread or _run(git, "check-ref-format", self._ref).status != 0:
            raise StateError(f"git+branch:{self.branch}: git takes no branch of that name.")
        if _run(git, "symbolic-ref", "--quiet", "HEAD").line == self._ref:
            raise StateError(
                f"{self.branch} is the branch that is checked out.  State needs a branch of its "
                "own: take another name."
            )

    @cached_property
    def _remote(self) -> str:
        keys = (key for key, _ in self._settings)
        names = {key[7:-4] for key in keys if key.startswith("remote.") and key.endswith(".url")}
        if "origin" in names:
            return "origin"
        if len(names) == 1:
            return names.pop()
        raise StateError(
            f"the repository around {self.folder} has "
            + ("several remotes and none is called origin." if names else "no remote.")
            + f"  git+branch:{self.branch} is a branch of its remote: git remote add origin URL."
        )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except GitTimeout as error:
        raise BackendUnreachable(f"the repository's remote cannot be reached: {error}") from error
    except GitFailed as error:
        raise StateError(f"a git+branch: backend cannot be used: {error}") from error


def _run(git: Git, *arguments: str) -> GitAnswer:
    with _translated():
        return git.run(*arguments)


def _rows(answer: GitAnswer) -> list[tuple[str, str]]:
    parts = (line.partition("\t") for line in answer.line.splitlines())
    return [(value, name) for value, _, name in parts]


def _failure(answer: GitAnswer) -> StateError:
    """What a remote's refusal means: to come back later, or to ask a person."""
    if _REFUSED.search(answer.err):
        return StateError(
            f"the repository's remote refuses: {answer.err}.  Look at its address (git remote -v) "
            "and at the credentials that git has here."
        )
    return BackendUnreachable(f"the repository's remote cannot be reached: {answer.err}.")


def _settings_of(git: Git) -> list[_Setting]:
    """Every setting that git reads there, in order."""
    with _translated():
        lines = git.output("config", "--list", "-z").split("\0")
    parts = (line.partition("\n") for line in lines if line)
    return [(key, value) for key, _, value in parts]


def _missing(git: Iterable[_Setting], ours: Counter[_Setting]) -> Iterator[_Setting]:
    """
    What the user's repository says of reaching remotes and the machine's settings do not.

    Its own file says it, or one that the user's settings include for this very repository.
    """
    for setting in git:
        if ours[setting]:
            ours[setting] -= 1
        elif _BORROWED.match(setting[0]):
            yield setting


def _identity(settings: Iterable[_Setting]) -> Mapping[str, str]:
    keys = {key for key, _ in settings}
    return {} if {"user.name", "user.email"} <= keys else _OUR_IDENTITY
