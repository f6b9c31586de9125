"""
What of a stack's folder a checkout leaves out, and where the rest of it is.

A sparse checkout, a submodule that is not checked out and a pointer of git LFS all look like
an edit by their author: a file that is gone, or another content.  Git knows better and is
asked, but only where a file of its own says that there is something to ask, since most
checkouts are whole.  What a manifest makes of it is its readers' business.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.errors import GitFailed
from provisioner.files import names_in, read_whole, top_of

if TYPE_CHECKING:
    from provisioner.git import Git

STACK = "ctxprov.yaml"
GITLINK = "160000"
"""The mode of a submodule in a tree and in the index."""

_LONGEST_GIT_FILE = 8192
"""Bytes of the longest `.git` that names a folder."""
LONGEST_POINTER = 1024
"""Bytes; git LFS takes nothing as long for a pointer."""

_POINTER = re.compile(
    rb"version https?://(?:git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1)\r?\n"
    rb"(?:ext-\d-[!-~]+ [!-~]+\r?\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\r?\n"
    rb"size (?P<size>\d{1,18})(?:\r?\n)?"
)

_ANNEX = re.compile(rb"/annex/objects/[^\s/]+\s*")


class Pointer(Struct, frozen=True):
    """Which file a pointer stands for."""

    oid: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""


class Absent(Struct, frozen=True):
    """A file or a submodule that belongs into a folder and is not there."""

    path: str
    """From that folder, with slashes."""
    reason: str
    """Why it is not there and what to do, to follow the path in a sentence."""
    is_tree: bool
    """Whether it is a submodule, so that any path below it may be missing."""


class Checkout:
    """Where the files of one folder come from; of this one nothing is missing."""

    @property
    def fetch(self) -> str:
        """What to do about a pointer that stands for nothing here, in the imperative."""
        return "run git lfs pull (with actions/checkout, set lfs: true)"

    def left_out(self) -> tuple[Absent, ...]:
        """Files that a sparse checkout leaves out.  Raises GitFailed if git cannot answer."""
        return ()

    def absent(self) -> tuple[Absent, ...]:
        """Those, and submodules that are not checked out.  Raises GitFailed likewise."""
        return ()

    def stored(self, path: str, pointer: Pointer) -> Path | None:
        """The file that the *pointer* at *path* stands for; None if a pointer is an error here."""
        del path, pointer
        return None


class LocalCheckout(Checkout):
    """The checkout around *folder*, which git is asked about at most once."""

    def __init__(
        self, folder: Path, *, environ: Mapping[str, str], warn: Callable[[str], None]
    ) -> None:
        self._folder = folder.resolve()
        self._environ = environ
        self._warn = warn

    def left_out(self) -> tuple[Absent, ...]:
        sparse = self._all if self._is_sparse else ()
        return tuple(absent for absent in sparse if not absent.is_tree)

    def absent(self) -> tuple[Absent, ...]:
        return self._all

    @cached_property
    def _top(self) -> Path | None:
        return top_of(self._folder)

    @cached_property
    def _is_sparse(self) -> bool:
        return bool(self._top and os.path.lexists(_git_dir(self._top) / "info/sparse-checkout"))

    @cached_property
    def _all(self) -> tuple[Absent, ...]:
        if self._top is None:
            return ()
        if not self._is_sparse and not os.path.lexists(self._top / ".gitmodules"):
            return ()
        from provisioner.git import git_at  # noqa: PLC0415  # most checkouts are whole

        git = git_at(self._folder, environ=self._environ, warn=self._warn)
        return tuple(_absent_in(git, self._folder.relative_to(git.top).as_posix()))


def _absent_in(git: Git, folder: str) -> Iterator[Absent]:
    """What is not there of *folder*, a path from the top; submodules are looked into."""
    above = "" if folder == "." else f"{folder}/"
    for tag, mode, path in _index(git, above or "."):
        inside = path.removeprefix(above)
        if mode != GITLINK:
            if tag == "S" and not os.path.lexists(git.path(path)):
                yield Absent(inside, _left_out(path), is_tree=False)
        elif below := submodule_at(git, path):
            for absent in _absent_in(below, "."):
                yield Absent(f"{inside}/{absent.path}", absent.reason, absent.is_tree)
        else:
            yield Absent(inside, not_checked_out(path), is_tree=True)


def is_submodule(git: Git, path: str) -> bool:
    """Whether the index has a submodule at *path*, a path from the top."""
    return any(mode == GITLINK and name == path for _, mode, name in _index(git, path))


def submodule_at(git: Git, path: str) -> Git | None:
    """
    Git in the submodule at *path*, a path from the top; None if it is not checked out.

    Raises GitFailed if git refuses it.
    """
    folder = git.path(path)
    if not os.path.lexists(folder / ".git") or folder.resolve() != folder:
        return None
    return git.below(folder)


def _index(git: Git, folder: str) -> Iterator[tuple[str, str, str]]:
    """Tag, mode and path of each entry of the index."""
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    rows = git.output("ls-files", "-z", "-t", "--stage", "--", folder, variables=literal)
    for row in rows.split("\0"):
        head, _, path = row.partition("\t")
        if path:
            tag, mode, *_ = head.split(" ")
            yield tag, mode, path


class StackFolders(Struct, frozen=True, kw_only=True):
    """The folders that hold a stack, from the top of a checkout."""

    here: frozenset[PurePosixPath]
    left_out: frozenset[PurePosixPath]
    """Those of which a sparse checkout leaves out the `ctxprov.yaml`."""
    unseen: tuple[str, ...]
    """The submodules that cannot be looked into, each with its reason in one sentence."""


def stacks_in(git: Git) -> StackFolders:
    """The stacks of a working tree, ignored files left out, submodules looked into."""
    rows = list(_index(git, "."))
    others = git.output("ls-files", "-z", "--others", "--exclude-standard").split("\0")
    files = [path for _, mode, path in rows if mode != GITLINK]
    listed = stacks_among([*files, *others])
    here = {stack for stack in listed if (git.path(str(stack)) / STACK).exists()}
    left_out = stacks_among(path for tag, _, path in rows if tag == "S") - here
    unseen: list[str] = []
    for link in dict.fromkeys(path for _, mode, path in rows if mode == GITLINK):
        try:
            below = submodule_at(git, link)
        except GitFailed as error:
            unseen.append(f"{link} is a submodule: {error}")
            continue
        if below is None:
            unseen.append(f"{link} {not_checked_out(link)}")
            continue
        stacks = stacks_in(below)
        here |= {link / stack for stack in stacks.here}
        left_out |= {link / stack for stack in stacks.left_out}
        unseen += [f"{link}/{sentence}" for sentence in stacks.unseen]
    return StackFolders(here=frozenset(here), left_out=frozenset(left_out), unseen=tuple(unseen))


def stacks_among(paths: Iterable[str]) -> frozenset[PurePosixPath]:
    """The folders whose `ctxprov.yaml` is among *paths*."""
    likely = (PurePosixPath(path) for path in paths if path.endswith(STACK))
    return frozenset(path.parent for path in likely if path.name == STACK)


def not_checked_out(path: str) -> str:
    """Why the files of the submodule at *path* are not there, and what to do."""
    return (
        f"lies in the submodule {path}, which is not checked out: run git submodule update --init "
        f"{shlex.quote(path)}"
    )


def _left_out(path: str) -> str:
    folder = posixpath.dirname(path) or path
    return f"is left out by the sparse checkout: run git sparse-checkout add {shlex.quote(folder)}"


def _git_dir(top: Path) -> Path:
    """The folder that the `.git` of *top* is, or names, as in a worktree and a submodule."""
    entry = top / ".git"
    try:
        text = read_whole(entry, most=_LONGEST_GIT_FILE)
    except OSError:
        return entry
    name = text.removeprefix(b"gitdir:").strip()
    return top / os.fsdecode(name) if name != text else entry


def bare_repositories(folder: Path) -> Iterator[Path]:
    """
    Folders that git takes for a bare repository: *folder*, those below, and those up to the top.

    Git that is started in one of them, or below, by whichever program, runs what their
    configuration names.  A `.git` is none: no commit can contain it.  Links are not followed.
    """
    yield from (place for place in _below_top(folder) if _is_bare(names_in(os.fsencode(place))))
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name.casefold() != ".git"]
        if _is_bare((*folders, *files)):
            yield Path(place)


def _below_top(folder: Path) -> Iterator[Path]:
    """The folders above *folder* that git passes on its way up to the top of the checkout."""
    place, top = folder.resolve(), top_of(folder)
    return (above for above in place.parents if top and above.is_relative_to(top) and above != top)


def _is_bare(names: Iterable[str]) -> bool:
    plain = {name.casefold() for name in names}
    return "head" in plain and ("commondir" in plain or {"objects", "refs"} <= plain)


def pointer_in(content: bytes) -> Pointer | None:
    """The pointer that *content* is; None if it is anything else."""
    if len(content) >= LONGEST_POINTER or not content.startswith(b"version "):
        return None
    match = _POINTER.fullmatch(content)
    return Pointer(match["oid"].decode(), int(match["size"])) if match else None


def locked(head: bytes) -> str | None:
    """
    What a file that begins with *head* stands for, and what to do, to follow its path.

    None if it is a file like any other.
    """
    if head.startswith(b"\0GITCRYPT\0"):
        return "is encrypted by git-crypt, not the file itself: run git-crypt unlock"
    if _ANNEX.fullmatch(head):
        return "is a git-annex pointer, not the file itself: run git annex get"
    return None
