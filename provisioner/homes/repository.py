"""
One branch of a remote, by way of a private repository.

The user's repository is asked for its configuration (the remote's address, credentials, proxies,
an identity) and left alone: its working tree, index, HEAD, refs and objects are never touched,
its hooks never run, and a full clone does not become a shallow one.  Commits are fetched one
deep into a temporary repository and pushed from there.  What is in them is the caller's business.
"""

from __future__ import annotations

import re
import secrets
import shutil
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from os import devnull
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct

from provisioner.errors import HomeUnreachable, StateError
from provisioner.homes.git_command import Said, run_git

PATIENCE = 60.0
"""Seconds that one git call may take."""

_BORROWED = re.compile(
    r"(?:http|credential|url|protocol|ssh|user|author|committer)\."
    r"|core\.(?:sshcommand|gitproxy|askpass)$"
    r"|remote\.(?s:.*)\.(?:url|pushurl|proxy|proxyauthmethod|uploadpack|receivepack|vcs)$"
)
_ELSEWHERE = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
    }
)
"""What git tells its hooks, and what would lead us to another repository."""

_OURS = (("core.hookspath", devnull), ("gc.auto", "0"), ("maintenance.auto", "false"))
_NOBODY: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "ctxprov",
    "GIT_AUTHOR_EMAIL": "ctxprov@localhost",
    "GIT_COMMITTER_NAME": "ctxprov",
    "GIT_COMMITTER_EMAIL": "ctxprov@localhost",
}
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


class _Private(Struct, frozen=True, kw_only=True):
    place: Path
    top: Path
    """Of the user's working tree: what a remote's path is relative to."""
    remote: str
    environ: Mapping[str, str]


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Repository:
    """
    The branch *branch* of the remote of the repository around *folder*.  Not for two threads.

    Raises StateError for what needs a person, HomeUnreachable for what may pass.
    """

    folder: Path
    branch: str
    environ: Mapping[str, str] = field(repr=False)
    patience: float = PATIENCE
    _private: _Private | None = field(default=None, repr=False)

    def tip(self) -> str | None:
        """The commit at the tip of the branch now, fetched; None if there is no branch."""
        rows = _rows(self._asked("ls-remote", "--symref", self._remote, "HEAD", self._ref))
        if (f"ref: {self._ref}", "HEAD") in rows:
            raise StateError(
                f"{self.branch} is the default branch of the repository's remote.  State needs a "
                "branch of its own: take another name."
            )
        tip = next((value for value, name in rows if name == self._ref), None)
        if tip is None or tip == self._known():
            return tip
        refspec = f"+{self._ref}:{self._ref}"
        self._asked("fetch", "--quiet", "--depth=1", "--no-tags", self._remote, refspec)
        return self._known()

    def blob(self, commit: str, name: str) -> str | None:
        """The id of the file *name* in *commit*; None if there is none."""
        said = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{name}")
        return said.line if said.status == 0 else None

    def content(self, blob: str) -> bytes:
        """What is in the file *blob*."""
        return self._done("cat-file", "blob", blob).out

    def commit(self, parent: str | None, files: Mapping[str, bytes | None], message: str) -> str:
        """Make a commit of *files* on top of *parent*; None as content removes the file."""
        index = self._opened().place / f"index-{secrets.token_hex(8)}"
        if parent:
            self._done("read-tree", parent, index=index)
        entries = "".join(self._entry(name, content) for name, content in files.items())
        self._done("update-index", "-z", "--index-info", content=entries.encode(), index=index)
        tree = self._done("write-tree", index=index).line
        index.unlink()
        parents = ("-p", parent) if parent else ()
        return self._done("commit-tree", tree, *parents, content=message.encode()).line

    def _entry(self, name: str, content: bytes | None) -> str:
        blob = self._done("hash-object", "-w", "--stdin", content=content or b"").line
        return f"{'000000' if content is None else '100644'} {blob}\t{name}\0"

    def push(self, commit: str, *, old: str | None) -> Pushed:
        """Make *commit* the tip of the branch if its tip is still *old*."""
        lease = f"--force-with-lease={self._ref}:{old or ''}"
        target = f"{commit}:{self._ref}"
        try:
            said = self._git("push", "--porcelain", lease, self._remote, target)
        except HomeUnreachable:
            return Pushed.UNKNOWN
        if said.status == 0:
            self._done("update-ref", self._ref, commit)
            return Pushed.DONE
        rejected = next((line for line in said.line.splitlines() if line.startswith("!")), None)
        if rejected is None:
            return _unanswered(said)
        if _OVERTAKEN.search(rejected):
            return Pushed.OVERTAKEN
        reason = rejected.rpartition("\t")[2]
        raise StateError(
            f"the repository's remote does not take a push to {self.branch}: {reason} ({said.err})."
            "  If the branch is protected, let whoever runs ctxprov push to it, or take another."
        )

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def _remote(self) -> str:
        return self._opened().remote

    def _known(self) -> str | None:
        said = self._git("rev-parse", "--verify", "--quiet", self._ref)
        return said.line if said.status == 0 else None

    def _asked(self, *words: str) -> Said:
        said = self._git(*words)
        if said.status != 0:
            raise said.failure()
        return said

    def _done(self, *words: str, content: bytes | None = None, index: Path | None = None) -> Said:
        return _well(self._git(*words, content=content, index=index), words)

    def _git(self, *words: str, content: bytes | None = None, index: Path | None = None) -> Said:
        private = self._opened()
        environ = {**private.environ, "GIT_DIR": str(private.place)}
        if index:
            environ["GIT_INDEX_FILE"] = str(index)
        return self._run(*words, environ=environ, folder=private.top, content=content)

    def _run(
        self,
        *words: str,
        environ: Mapping[str, str],
        folder: Path | None = None,
        content: bytes | None = None,
    ) -> Said:
        return run_git(
            *words,
            folder=folder or self.folder,
            environ=environ,
            patience=self.patience,
            content=content,
        )

    def _opened(self) -> _Private:
        if self._private is None:
            self._private = self._open()
        return self._private

    def _open(self) -> _Private:
        """Make the private repository, with what the user's knows of the remote."""
        environ = {key: value for key, value in self.environ.items() if key not in _ELSEWHERE}
        top = _well(self._run("rev-parse", "--show-toplevel", environ=environ), ("rev-parse",)).line
        self._check_name(environ)
        form = self._run("rev-parse", "--show-object-format", environ=environ).line
        theirs = self._settings(environ)
        remote = self._remote_of(theirs)
        place = mkdtemp(prefix="ctxprov-git-")
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        init = ("init", "--quiet", "--bare", "--template=", f"--object-format={form}", place)
        _well(self._run(*init, environ=environ), init)
        known = Counter(self._settings({**environ, "GIT_DIR": place}))
        return _Private(
            place=Path(place),
            top=Path(top),
            remote=remote,
            environ=_configured(environ, [*_missing(theirs, known), *_OURS], _identity(theirs)),
        )

    def _check_name(self, environ: Mapping[str, str]) -> None:
        misread = self.branch.startswith("-")  # git itself makes no such branch any more
        if misread or self._run("check-ref-format", self._ref, environ=environ).status != 0:
            raise StateError(f"git+branch:{self.branch}: git takes no branch of that name.")
        if self._run("symbolic-ref", "--quiet", "HEAD", environ=environ).line == self._ref:
            raise StateError(
                f"{self.branch} is the branch that is checked out.  State needs a branch of its "
                "own: take another name."
            )

    def _settings(self, environ: Mapping[str, str]) -> list[tuple[str, str]]:
        listed = _well(self._run("config", "--list", "-z", environ=environ), ("config",))
        pairs = (
            one.partition("\n") for one in listed.out.decode(errors="surrogateescape").split("\0")
        )
        return [(key, value) for key, _, value in pairs if key]

    def _remote_of(self, settings: Iterable[tuple[str, str]]) -> str:
        names = {
            key[7:-4] for key, _ in settings if key.startswith("remote.") and key.endswith(".url")
        }
        if "origin" in names:
            return "origin"
        if len(names) == 1:
            return names.pop()
        raise StateError(
            f"the repository around {self.folder} has "
            + ("several remotes and none is called origin." if names else "no remote.")
            + f"  git+branch:{self.branch} is a branch of its remote: git remote add origin URL."
        )


def _rows(said: Said) -> list[tuple[str, str]]:
    cut = (line.partition("\t") for line in said.line.splitlines())
    return [(value, name) for value, _, name in cut]


def _well(said: Said, words: tuple[str, ...]) -> Said:
    if said.status != 0:
        raise StateError(f"git {words[0]} failed: {said.err}.")
    return said


def _unanswered(said: Said) -> Pushed:
    match said.failure():
        case HomeUnreachable():
            return Pushed.UNKNOWN
        case error:
            raise error


def _missing(
    theirs: Iterable[tuple[str, str]], known: Counter[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """What the user's repository says of reaching remotes and the machine's settings do not."""
    for setting in theirs:
        if known[setting]:
            known[setting] -= 1
        elif _BORROWED.match(setting[0]):
            yield setting


def _identity(settings: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    keys = {key for key, _ in settings}
    return {} if {"user.name", "user.email"} <= keys else _NOBODY


def _configured(
    environ: Mapping[str, str], settings: Iterable[tuple[str, str]], identity: Mapping[str, str]
) -> Mapping[str, str]:
    begun = int(environ.get("GIT_CONFIG_COUNT") or 0)
    numbered = list(enumerate(settings, begun))
    keys = {f"GIT_CONFIG_KEY_{at}": key for at, (key, _) in numbered}
    values = {f"GIT_CONFIG_VALUE_{at}": value for at, (_, value) in numbered}
    count = {"GIT_CONFIG_COUNT": str(begun + len(numbered))}
    return {**identity, **environ, **keys, **values, **count}
