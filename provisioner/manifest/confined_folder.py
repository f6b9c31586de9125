"""
Opening files by the paths and patterns of a manifest, and none that lies outside of its folder.

Symlinks are followed, and what counts is where they lead.  Anything but a regular file
is refused before it is read: a device may never end, a FIFO may never begin.  So is a pointer
of git LFS, unless the checkout has the file that it stands for, and everything in a `.git`: a
CI keeps the token of its job in there, and content is shown in plans and sent to a provider.

A path is UTF-8, independent of this machine's encoding of names; bytes that are not UTF-8 are
surrogates.  It matches a name of another Unicode form (NFC, NFD) if no file has its own.

A pattern is a path whose steps may hold `*`, `?` and `[…]`; it never goes deeper than it
has steps, never leaves the manifest's folder, and does not see hidden names.
"""

from __future__ import annotations

import errno
import os
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from msgspec import Struct

from provisioner.checkout import (
    LONGEST_POINTER,
    Absent,
    Checkout,
    Pointer,
    locked,
    pointer_in,
)
from provisioner.files import names_in, open_regular, read_open, text_of
from provisioner.manifest.source_map import shown

_CHUNK = 1024 * 1024
_GIT = b".git"
_ABSOLUTE = "is absolute: write it relative to the manifest's folder"
_OUTSIDE = "lies outside of the manifest's folder"


class Unreadable(Exception):
    """This path cannot be read; the message says why, without naming the path."""


class _MissingFile(Unreadable):
    """There is nothing at this path."""


class _Link(Unreadable):
    """This path is a symbolic link, or leads in a circle of them."""


class Match(Struct, frozen=True):
    """A file or folder that a pattern names, and its name without a file's suffix."""

    path: str
    stem: str


class OpenFile(Struct, frozen=True):
    """
    A regular file that is open for reading, and closed at the end of its `with`.

    What the system refuses until then is `Unreadable`.
    """

    descriptor: int
    size: int
    """Bytes, when it was opened."""
    head: bytes
    """The first of them, up to a MiB: of most files all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        os.close(self.descriptor)
        if isinstance(error, OSError):
            raise Unreadable(f"cannot be read: {error.strerror}") from error

    def chunks(self) -> Iterator[bytes]:
        """Read all of it, also what came after it was opened."""
        yield self.head
        while chunk := os.read(self.descriptor, _CHUNK):
            yield chunk

    def whole(self, *, most: int) -> bytes:
        """Read all of it into memory, and no more than *most* bytes."""
        if len(self.head) == self.size:
            return self.head
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return read_open(self.descriptor, self.size, most=most)


class Folder:
    """
    The folder of a manifest.  It remembers the folders below, not the files.

    What is missing is looked up in *checkout*.
    """

    def __init__(self, root: Path, checkout: Checkout | None = None) -> None:
        self._root = os.path.realpath(os.fsencode(root))
        self._above = self._root.rstrip(b"/") + b"/"
        self._real: dict[str, bytes] = {}
        self._checkout = checkout or Checkout()

    def open(self, path: str) -> OpenFile:
        """Open a regular file for reading, to be closed by `with`.  Raises `Unreadable`."""
        if path.startswith("/"):
            raise Unreadable(_ABSOLUTE)
        try:
            file = self._located(path)
        except _MissingFile as error:
            raise self._missing(path) or error from error
        pointer, reason = pointer_in(file.head), locked(file.head[:LONGEST_POINTER])
        if not (pointer or reason):
            return file
        with file:
            return self._stored(path, pointer, reason)

    def listed(self, folder: str) -> Mapping[str, os.DirEntry[bytes]]:
        """
        What is in a folder, by name and in the order of names; hidden names are left out.

        Raises `Unreadable`.
        """
        real = self._real.get(folder) or self._enter(folder)
        try:
            with os.scandir(real) as entries:
                named = {text_of(entry.name): entry for entry in entries}
        except OSError as error:
            raise _refusal(error) from error
        return {name: named[name] for name in sorted(named) if not name.startswith(".")}

    def matches(self, pattern: str) -> tuple[Match, ...]:
        """
        What *pattern* names, in the order of paths; a slash at its end takes folders alone.

        Raises `Unreadable` with what is wrong, also if it names nothing.
        """
        steps = [step for step in pattern.split("/") if step not in {"", "."}]
        if pattern.startswith("/"):
            raise Unreadable(_ABSOLUTE)
        if ".." in steps:
            raise Unreadable(_OUTSIDE)
        if any("**" in step for step in steps):
            raise Unreadable("has a '**': write a step for each folder on the way, such as */*")
        matches = tuple(self._walk("", steps, folders_only=pattern.endswith("/")) if steps else ())
        for absent in self._lacks(steps, {match.path for match in matches}):
            raise Unreadable(f"may name {shown(absent.path)}, which {absent.reason}")
        if not matches:
            raise Unreadable("names nothing that is there")
        return matches

    def _walk(self, above: str, steps: list[str], *, folders_only: bool) -> Iterator[Match]:
        step, *rest = steps
        for name, entry in self.listed(above).items():
            if not _alike(name, step):
                continue
            path = f"{above}/{name}".removeprefix("/")
            is_folder = self._is_folder(entry, path)
            if rest and is_folder:
                yield from self._walk(path, rest, folders_only=folders_only)
            elif not rest and (is_folder or not folders_only):
                stem = name if is_folder else name.rpartition(".")[0]
                yield Match(path, stem or name)

    def _is_folder(self, entry: os.DirEntry[bytes], path: str) -> bool:
        """Whether *entry* is a folder rather than a file; else it is `Unreadable`."""
        try:
            if entry.is_symlink():
                self._check(os.path.realpath(entry.path))
        except Unreadable as error:
            raise Unreadable(f"names {shown(path)}, which {error}") from error
        if entry.is_dir() or entry.is_file():
            return entry.is_dir()
        raise Unreadable(f"names {shown(path)}, which is neither a file nor a folder")

    def _lacks(self, steps: list[str], present: set[str]) -> Iterator[Absent]:
        """
        What is not checked out and may be, or be below, a path that *steps* name.

        Each step is a pattern of one name.  What is *present* is there.
        """
        for absent in self._checkout.absent():
            names = absent.path.split("/")
            named = zip(names, steps, strict=False)
            whole = len(names) >= len(steps)
            if all(_alike(name, step) for name, step in named) and (
                "/".join(names[: len(steps)]) not in present if whole else absent.is_tree
            ):
                yield absent

    def _located(self, path: str) -> OpenFile:
        """The file at *path* as it is spelled, else in another Unicode form."""
        folder, _, name = path.rpartition("/")
        real = self._real.get(folder) or self._enter(folder)
        try:
            return self._file(real + b"/" + _raw(name))
        except _MissingFile:
            spelled = None if path.isascii() else self._spelled(path)
            if spelled is None or spelled == path:
                raise
            return self._located(spelled)

    def _spelled(self, path: str) -> str | None:
        """*path* as the names on the disk are spelled; None unless exactly one path is meant."""
        steps: list[str] = []
        for step in path.split("/"):
            there = names_in(b"/".join((self._root, *map(_raw, steps))))
            forms = [name for name in there if _form(name) == _form(step)]
            if step in {"", ".", ".."} or step in forms:
                steps.append(step or ".")
            elif len(forms) == 1:
                steps.append(forms[0])
            else:
                return None
        return "/".join(steps)

    def _stored(self, path: str, pointer: Pointer | None, reason: str | None) -> OpenFile:
        """The file that *pointer* stands for; without one it is for *reason* `Unreadable`."""
        if pointer is None:
            raise Unreadable(reason)
        stored = self._checkout.stored(path, pointer)
        if stored is None:
            raise Unreadable(f"is a git LFS pointer, not the file itself: {self._checkout.fetch}")
        return _opened(stored)

    def _missing(self, path: str) -> Unreadable | None:
        """Why the checkout has nothing at *path*, if it knows."""
        plain = _form(posixpath.normpath(path))
        for absent in self._checkout.absent():
            if plain == _form(absent.path) or plain.startswith(f"{_form(absent.path)}/"):
                return Unreadable(absent.reason)
        return None

    def _enter(self, folder: str) -> bytes:
        real = os.path.realpath(self._root + b"/" + _raw(folder))
        self._check(real + b"/")
        self._real[folder] = real
        return real

    def _check(self, real: bytes) -> None:
        if not real.startswith(self._above):
            raise Unreadable(_OUTSIDE)
        if _GIT in real[len(self._above) :].lower().split(b"/"):
            raise Unreadable("lies in git's own folder, which holds the credentials of a job")

    def _file(self, real: bytes) -> OpenFile:
        self._check(real)
        try:
            return _opened(real)
        except _Link:
            target = os.path.realpath(real)
        self._check(target)
        return _opened(target)


def _alike(name: str, pattern: str) -> bool:
    """Whether *name* matches *pattern*, also in another Unicode form."""
    return fnmatchcase(_form(name), _form(pattern))


def _form(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _raw(name: str) -> bytes:
    try:
        return name.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise _MissingFile("does not exist") from error


def _opened(path: bytes | Path) -> OpenFile:
    try:
        descriptor, status = open_regular(path, follow=False)
        try:
            size = status.st_size
            return OpenFile(descriptor, size, os.read(descriptor, min(size + 1, _CHUNK)))
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise _refusal(error) from error


def _refusal(error: OSError) -> Unreadable:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return _MissingFile("does not exist")
        case PermissionError():
            return Unreadable("cannot be read: permission denied")
        case IsADirectoryError():
            return Unreadable("is a folder: name a file")
        case _ if error.errno == errno.EINVAL:
            return Unreadable(str(error.strerror).removeprefix("it "))
        case _ if error.errno == errno.ELOOP:
            return _Link("is a symlink that leads in a circle")
        case _:
            return Unreadable(f"cannot be read: {error.strerror}")
