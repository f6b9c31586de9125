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
import shutil
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, mkdtemp

from msgspec import Struct

from provisioner import checkout
from provisioner.errors import GitFailed
from provisioner.git import Git, commit_of, path_from

_UNFILTERED = (("smudge", ""), ("clean", ""), ("process", ""), ("required", "false"))
_UNSPARSE = (("core.sparseCheckout", "false"), ("index.sparse", "false"))


class TreeEntry(Struct, frozen=True):
    """A line of a tree: a file, a link or a submodule."""

    mode: str
    id: str
    path: str


@dataclass(frozen=True)
class GitRevision:
    """The commit *commit* of the repository that *git* is in."""

    git: Git
    commit: str

    def stacks(self) -> frozenset[PurePosixPath]:
        """Folders that hold a `ctxprov.yaml`, from the top; those in submodules too."""
        own = checkout.stacks_among(entry.path for entry in self.entries)
        submodules = ((link, self.submodule(link)) for link in self.links)
        return own.union(
            link / stack
            for link, below in submodules
            if isinstance(below, GitRevision)
            for stack in below.stacks()
        )

    def unseen(self) -> Iterator[str]:
        """The submodules that cannot be looked into, each with its reason in one sentence."""
        for link in self.links:
            below = self.submodule(link)
            if isinstance(below, GitRevision):
                yield from (f"{link}/{sentence}" for sentence in below.unseen())
            else:
                yield f"{link} {below}"

    @cached_property
    def manifests(self) -> Mapping[PurePosixPath, bytes]:
        """Every `ctxprov.yaml` of this repository itself, by its folder.  Raises GitFailed."""
        likely = (entry for entry in self.entries if entry.path.endswith(checkout.STACK))
        paths = ((PurePosixPath(entry.path), entry) for entry in likely)
        ids = {path.parent: entry.id for path, entry in paths if path.name == checkout.STACK}
        return dict(zip(ids, _blobs(self.git, list(ids.values())), strict=True))

    @contextmanager
    def files(self, folder: PurePosixPath) -> Iterator[Export | None]:
        """
        The files of *folder*, a path from the top, for as long as the block lasts.

        None if the revision has none there.  Raises GitFailed if git cannot tell.
        """
        link = next((link for link in self.links if link in (folder, *folder.parents)), None)
        if link:
            below = self.submodule(link)
            if not isinstance(below, GitRevision):
                raise GitFailed(f"{folder} {below}.")
            with below.files(folder.relative_to(link)) as export:
                yield export
        elif next(self.within(folder), None) is None:
            yield None
        else:
            with TemporaryDirectory(prefix="ctxprov-") as place:
                export = Export(Path(place), folder, self)
                export.write(self, PurePosixPath())
                yield export

    @cached_property
    def entries(self) -> tuple[TreeEntry, ...]:
        """Every file of this repository itself."""
        return tuple(entry for entry in self._tree if entry.mode != checkout.GITLINK)

    @cached_property
    def links(self) -> Mapping[PurePosixPath, str]:
        """The submodules of this repository itself, each with the commit that is recorded."""
        return {PurePosixPath(e.path): e.id for e in self._tree if e.mode == checkout.GITLINK}

    def within(self, folder: PurePosixPath) -> Iterator[str]:
        """The paths of all files of this repository itself that are below *folder*."""
        above = "" if folder == PurePosixPath() else f"{folder}/"
        return (entry.path for entry in self.entries if entry.path.startswith(above))

    def submodule(self, link: PurePosixPath) -> GitRevision | str:
        """The submodule at *link*, or why it cannot be looked into, to follow a path."""
        if link not in self._submodules:
            self._submodules[link] = self._opened(str(link), self.links[link])
        return self._submodules[link]

    def check_out(self, folder: PurePosixPath, place: Path) -> None:
        """
        Write the files below *folder* into *place*.  Raises GitFailed.

        Git takes attributes from the working tree before it takes them from the index, so it
        gets one that has none: those of another commit decide nothing.
        """
        names = "".join(f"{name}\0" for name in self.within(folder))
        self._git_by_index.output(
            *("checkout-index", "-z", "--stdin", f"--prefix={place}/"),
            content=names.encode(errors="surrogateescape"),
            variables={
                "GIT_INDEX_FILE": str(self._index),
                "GIT_WORK_TREE": str(self._index.parent),
            },
        )

    @cached_property
    def lfs_objects(self) -> Path:
        """Where git LFS keeps its objects."""
        common = self.git.output("rev-parse", "--git-common-dir").removesuffix("\n")
        storage = self.git.run("config", "--type=path", "--get", "lfs.storage").text
        place = path_from(storage.removesuffix("\n") or "lfs")
        return self.git.top / path_from(common) / place / "objects"

    @cached_property
    def _tree(self) -> tuple[TreeEntry, ...]:
        rows = self.git.output("ls-tree", "-r", "-z", "--full-tree", self.commit).split("\0")
        parts = (row.partition("\t") for row in rows if row)
        heads = ((head.split(" "), path) for head, _, path in parts)
        return tuple(TreeEntry(mode, id_, path) for (mode, _, id_), path in heads)

    @cached_property
    def _submodules(self) -> dict[PurePosixPath, GitRevision | str]:
        return {}

    def _opened(self, link: str, commit: str) -> GitRevision | str:
        try:
            git = checkout.submodule_at(self.git, link)
        except GitFailed as error:
            return f"lies in the submodule {link}: {error}"
        if git is None:
            return checkout.not_checked_out(link)
        if commit_of(git, commit) is None:
            return (
                f"lies in the submodule {link}, which lacks the commit {commit[:12]}: run "
                f"git -C {shlex.quote(link)} fetch origin {commit}"
            )
        return GitRevision(git, commit)

    @cached_property
    def _git_by_index(self) -> Git:
        """Git that runs no filter and writes what a sparse checkout would leave out."""
        return self.git.configured([*_filters(self.git), *_UNSPARSE])

    @cached_property
    def _index(self) -> Path:
        """An index of this commit, for as long as this revision is used."""
        place = mkdtemp(prefix="ctxprov-index-")
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        index = Path(place) / "index"
        variables = {"GIT_INDEX_FILE": str(index)}
        self._git_by_index.output("read-tree", self.commit, variables=variables)
        return index


@dataclass
class Export(checkout.Checkout):
    """Files of a revision in a folder of their own, and what is missing among them."""

    _place: Path
    _stack: PurePosixPath
    _revision: GitRevision = field(repr=False)
    _absent: list[checkout.Absent] = field(default_factory=list, repr=False)
    _sources: list[GitRevision] = field(default_factory=list, repr=False)
    """The revision itself, and those of its submodules."""

    @property
    def folder(self) -> Path:
        """Where the files of the stack are."""
        return self._place / "tree" / path_from(str(self._stack))

    @property
    def fetch(self) -> str:
        return f"run git lfs fetch origin {self._revision.commit[:12]}"

    def absent(self) -> tuple[checkout.Absent, ...]:
        return tuple(self._absent)

    def stored(self, path: str, pointer: checkout.Pointer) -> Path | None:
        """The object in this repository, else the file of the working tree if it is the same."""
        name = PurePosixPath(pointer.oid[:2], pointer.oid[2:4], pointer.oid)
        objects = (source.lfs_objects / name for source in self._sources)
        working = self._revision.git.path(str(self._stack / path))
        return next((path for path in (*objects, working) if _is(path, pointer)), None)

    def write(self, revision: GitRevision, at: PurePosixPath) -> None:
        """Write what *revision*, whose top is *at*, has of the stack's folder."""
        self._sources.append(revision)
        folder = self._stack if at == PurePosixPath() else PurePosixPath()
        revision.check_out(folder, self._place / "tree" / path_from(str(at)))
        for link in revision.links:
            path = at / link
            if self._stack not in path.parents:
                continue
            below = revision.submodule(link)
            if isinstance(below, GitRevision):
                self.write(below, path)
            else:
                self._absent.append(
                    checkout.Absent(str(path.relative_to(self._stack)), below, is_tree=True)
                )


def merge_base(git: Git, ref: str) -> GitRevision:
    """The commit at which this branch left *ref*.  Raises GitFailed if there is none."""
    commit = commit_of(git, ref)
    if commit is None:
        raise GitFailed(
            f"{ref!r} is no commit of the repository {git.top}. Fetch it first; in CI check out "
            "the whole history (fetch-depth: 0)."
        )
    answer = git.run("merge-base", commit, "HEAD")
    if answer.status > 1:
        raise GitFailed(f"git merge-base failed in {git.top}: {answer.err}.")
    if answer.status != 0:
        raise GitFailed(
            f"{ref!r} and HEAD have no common commit in the repository {git.top}. In CI check out "
            "the whole history (fetch-depth: 0)."
        )
    return GitRevision(git, answer.line)


def is_same_tree(git: Git, first: str, second: str, folder: PurePosixPath) -> bool:
    """Whether the commits *first* and *second* have the same files below *folder*."""
    path = "" if folder == PurePosixPath() else str(folder)
    trees = [git.run("rev-parse", "--verify", f"{commit}:{path}") for commit in (first, second)]
    return trees[0].status == 0 == trees[1].status and trees[0].line == trees[1].line


def _filters(git: Git) -> Iterator[tuple[str, str]]:
    """Settings that leave every configured filter with no program to run."""
    answer = git.run("config", "--name-only", "-z", "--get-regexp", r"^filter\.")
    keys = (key.partition(".")[2].rpartition(".")[0] for key in answer.text.split("\0"))
    for name in dict.fromkeys(filter(None, keys)):
        yield from ((f"filter.{name}.{key}", value) for key, value in _UNFILTERED)


def _blobs(git: Git, ids: list[str]) -> Iterator[bytes]:
    """The contents of the files *ids*, in that order."""
    request = "".join(f"{id_}\n" for id_ in ids).encode()
    rest = git.run("cat-file", "--batch", content=request).out if ids else b""
    for id_ in ids:
        head, _, rest = rest.partition(b"\n")
        name, _, size = head.decode(errors="replace").rpartition(" ")
        if name != f"{id_} blob":
            raise GitFailed(f"git cannot read the object {id_[:12]} in {git.top}: {head!r}.")
        yield rest[: int(size)]
        rest = rest[int(size) + 1 :]


def _is(path: Path, pointer: checkout.Pointer) -> bool:
    """Whether the file at *path* is the one that *pointer* stands for."""
    try:
        if not path.is_file() or path.stat().st_size != pointer.size:
            return False
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == pointer.oid
    except OSError:
        return False
