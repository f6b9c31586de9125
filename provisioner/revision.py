"""
Another revision of a repository, as files on this disk.

Nothing of the working tree, the index or a configured program is touched: the files are what a
checkout of that commit would have, but for filters, which are programs that the configuration
names.  Submodules are followed at the commit that the revision records, if they are checked out
here; a pointer of git LFS stands for the file itself, if that is here.  What is missing is
named, never left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from msgspec import Struct

from provisioner.checkout import (
    GITLINK,
    STACK,
    Absent,
    Whole,
    not_checked_out,
    stacks_among,
    submodule_at,
)
from provisioner.errors import GitFailed
from provisioner.git import Git, commit_of, path_from
from provisioner.lfs import Pointer

_UNFILTERED = (("smudge", ""), ("clean", ""), ("process", ""), ("required", "false"))
_WHOLE = (("core.sparseCheckout", "false"), ("index.sparse", "false"))


class _Entry(Struct, frozen=True):
    """A line of a tree: a file, a link or a submodule."""

    mode: str
    id: str
    path: str


@dataclass(frozen=True)
class Revision:
    """The commit *commit* of the repository that *git* is in."""

    git: Git
    commit: str

    def stacks(self) -> frozenset[PurePosixPath]:
        """Folders that hold a `ctxprov.yaml`, from the top; those in submodules too."""
        own = stacks_among(entry.path for entry in self._entries)
        return own.union(
            link / one
            for link, below in self._submodules.items()
            if isinstance(below, Revision)
            for one in below.stacks()
        )

    def unseen(self) -> Iterator[str]:
        """The submodules that cannot be looked into, each with its reason in one sentence."""
        for link, below in self._submodules.items():
            if isinstance(below, Revision):
                yield from (f"{link}/{one}" for one in below.unseen())
            else:
                yield f"{link} {below}"

    @cached_property
    def manifests(self) -> Mapping[PurePosixPath, bytes]:
        """Every `ctxprov.yaml` of this repository itself, by its folder.  Raises GitFailed."""
        files = (entry for entry in self._entries if entry.mode != GITLINK)
        named = ((PurePosixPath(e.path), e.id) for e in files if e.path.endswith(STACK))
        ids = {path.parent: id_ for path, id_ in named if path.name == STACK}
        return dict(zip(ids, self._blobs(list(ids.values())), strict=True))

    @contextmanager
    def files(self, folder: PurePosixPath) -> Iterator[Export | None]:
        """
        The files of *folder*, a path from the top, for as long as the block lasts.

        None if the revision has none there.  Raises GitFailed if git cannot tell.
        """
        for link, below in self._submodules.items():
            if link in (folder, *folder.parents):
                if not isinstance(below, Revision):
                    raise GitFailed(f"{folder} {below}.")
                with below.files(folder.relative_to(link)) as export:
                    yield export
                return
        if next(self.within(folder), None) is None:
            yield None
            return
        with TemporaryDirectory(prefix="ctxprov-") as place:
            export = Export(Path(place), folder, self)
            export.write(self, PurePosixPath())
            yield export

    @cached_property
    def _entries(self) -> tuple[_Entry, ...]:
        """Every file and submodule of this repository itself."""
        rows = self.git.output("ls-tree", "-r", "-z", "--full-tree", self.commit).split("\0")
        cut = (row.partition("\t") for row in rows if row)
        heads = ((head.split(" "), path) for head, _, path in cut)
        return tuple(_Entry(mode, id_, path) for (mode, _, id_), path in heads)

    @cached_property
    def _submodules(self) -> Mapping[PurePosixPath, Revision | str]:
        """By path, each at the commit that is recorded, or why it cannot be looked into."""
        links = (entry for entry in self._entries if entry.mode == GITLINK)
        return {PurePosixPath(link.path): self._below(link) for link in links}

    def _below(self, link: _Entry) -> Revision | str:
        try:
            git = submodule_at(self.git, link.path)
        except GitFailed as error:
            return f"lies in the submodule {link.path}: {error}"
        if git is None:
            return not_checked_out(link.path)
        if commit_of(git, link.id) is None:
            return (
                f"lies in the submodule {link.path}, which lacks the commit {link.id[:12]}: run "
                f"git -C {shlex.quote(link.path)} fetch origin {link.id}"
            )
        return Revision(git, link.id)

    def within(self, folder: PurePosixPath) -> Iterator[str]:
        """The paths of all files of this repository itself that are below *folder*."""
        above = "" if folder == PurePosixPath() else f"{folder}/"
        files = (entry.path for entry in self._entries if entry.mode != GITLINK)
        return (path for path in files if path.startswith(above))

    def submodules(self) -> Iterator[tuple[PurePosixPath, Revision | str]]:
        yield from self._submodules.items()

    def check_out(self, names: Iterable[str], place: Path, index: Path) -> None:
        """Write the files *names* into *place*, by an *index* of its own.  Raises GitFailed."""
        git = self.git.configured([*_filters(self.git), *_WHOLE])
        own = {"GIT_INDEX_FILE": str(index)}
        listed = "".join(f"{name}\0" for name in names).encode(errors="surrogateescape")
        git.output("read-tree", self.commit, variables=own)
        out = ("checkout-index", "-z", "--stdin", f"--prefix={place}/")
        git.output(*out, variables=own, content=listed)

    def _blobs(self, ids: list[str]) -> Iterator[bytes]:
        if not ids:
            return
        asked = "".join(f"{id_}\n" for id_ in ids).encode()
        answer = self.git.output("cat-file", "--batch", content=asked)
        rest = answer.encode(errors="surrogateescape")
        for _ in ids:
            head, _, rest = rest.partition(b"\n")
            size = int(head.rpartition(b" ")[2])
            yield rest[:size]
            rest = rest[size + 1 :]


@dataclass
class Export(Whole):
    """Files of a revision in a folder of their own, and what is missing among them."""

    _place: Path
    _stack: PurePosixPath
    _revision: Revision = field(repr=False)
    _absent: list[Absent] = field(default_factory=list, repr=False)
    _stores: list[Path] = field(default_factory=list, repr=False)

    @property
    def folder(self) -> Path:
        """Where the files of the stack are."""
        return self._place / "tree" / path_from(str(self._stack))

    @property
    def fetch(self) -> str:  # type: ignore[override]  # a text either way
        return f"run git lfs fetch origin {self._revision.commit[:12]}"

    def absent(self) -> tuple[Absent, ...]:
        return tuple(self._absent)

    def stored(self, path: str, pointer: Pointer) -> Path | None:
        """The object in this repository, else the file of the working tree if it is the same."""
        name = PurePosixPath(pointer.oid[:2], pointer.oid[2:4], pointer.oid)
        objects = (store / name for store in self._stores)
        found = next((one for one in objects if _size(one) == pointer.size), None)
        working = self._revision.git.top / path_from(str(self._stack / path))
        return found or (working if _is(working, pointer) else None)

    def write(self, revision: Revision, at: PurePosixPath) -> None:
        """Write what *revision*, whose top is *at*, has of the stack's folder."""
        self._stores.append(_store(revision.git))
        inside = self._stack if at == PurePosixPath() else PurePosixPath()
        place = self._place / "tree" / path_from(str(at))
        index = self._place / f"index-{len(self._stores)}"
        revision.check_out(revision.within(inside), place, index)
        for link, below in revision.submodules():
            path = at / link
            if self._stack not in path.parents:
                continue
            if isinstance(below, Revision):
                self.write(below, path)
            else:
                self._absent.append(Absent(str(path.relative_to(self._stack)), below, is_tree=True))


def merge_base(git: Git, ref: str) -> Revision:
    """The commit at which this branch left *ref*.  Raises GitFailed if there is none."""
    commit = commit_of(git, ref)
    if commit is None:
        raise GitFailed(
            f"{ref!r} is no commit of the repository {git.top}. Fetch it first; in CI check out "
            "the whole history (fetch-depth: 0)."
        )
    answer = git.run("merge-base", commit, "HEAD")
    if answer.status != 0:
        raise GitFailed(
            f"{ref!r} and HEAD have no common commit in the repository {git.top}. In CI check out "
            "the whole history (fetch-depth: 0)."
        )
    return Revision(git, answer.line)


def is_same_tree(git: Git, one: str, other: str, folder: PurePosixPath) -> bool:
    """Whether the commits *one* and *other* have the same files below *folder*."""
    path = "" if folder == PurePosixPath() else str(folder)
    trees = [git.run("rev-parse", "--verify", f"{commit}:{path}") for commit in (one, other)]
    return trees[0].status == 0 == trees[1].status and trees[0].line == trees[1].line


def _filters(git: Git) -> Iterator[tuple[str, str]]:
    """Settings that leave every configured filter with no program to run."""
    answer = git.run("config", "--name-only", "-z", "--get-regexp", r"^filter\.")
    keys = (key.partition(".")[2].rpartition(".")[0] for key in answer.text.split("\0"))
    for name in dict.fromkeys(filter(None, keys)):
        yield from ((f"filter.{name}.{key}", value) for key, value in _UNFILTERED)


def _store(git: Git) -> Path:
    """Where git LFS keeps its objects."""
    line = git.output("rev-parse", "--git-common-dir").removesuffix("\n")
    return git.top / path_from(line) / "lfs" / "objects"


def _size(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_size if path.is_file() else None
    return None


def _is(path: Path, pointer: Pointer) -> bool:
    """Whether the file at *path* is the one that *pointer* stands for."""
    if _size(path) != pointer.size:
        return False
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == pointer.oid
    except OSError:
        return False
