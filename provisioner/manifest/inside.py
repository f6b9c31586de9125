"""
Opening files by the paths of a manifest, and none that lies outside of its folder.

Symlinks are followed, and what counts is where they lead.  Anything but a regular file
is refused before it is read: a device may never end, a FIFO may never begin.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from provisioner.files import open_regular


class Unreadable(Exception):
    """This path cannot be read; the message says why, without naming the path."""


class Folder:
    """The folder of a manifest.  It remembers the folders below, not the files."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._above = self._root.rstrip("/") + "/"
        self._real: dict[str, str] = {}

    def open(self, path: str) -> tuple[int, int]:
        """
        Open a regular file for reading: its descriptor, for the caller to close, and its size.

        Raises `Unreadable`.
        """
        if path.startswith("/"):
            raise Unreadable("is absolute: write it relative to the manifest's folder")
        folder, _, name = path.rpartition("/")
        real = self._real.get(folder) or self._enter(folder)
        descriptor = self._descriptor(f"{real}/{name}")
        return descriptor, os.fstat(descriptor).st_size

    def listed(self, folder: str) -> list[os.DirEntry[str]]:
        """
        What is in a folder, in the order of names; hidden names are left out.

        Raises `Unreadable`.
        """
        real = self._real.get(folder) or self._enter(folder)
        try:
            with os.scandir(real) as found:
                shown = [one for one in found if not one.name.startswith(".")]
        except OSError as error:
            raise Unreadable(_reason(error)) from error
        return sorted(shown, key=lambda one: one.name)

    def is_folder(self, one: os.DirEntry[str]) -> bool:
        """Whether it is a folder rather than a file.  Raises `Unreadable` if it is neither."""
        if one.is_symlink():
            self._check(os.path.realpath(one.path))
        if one.is_dir():
            return True
        if one.is_file():
            return False
        raise Unreadable("is neither a file nor a folder")

    def _enter(self, folder: str) -> str:
        real = os.path.realpath(f"{self._root}/{folder}")
        self._check(f"{real}/")
        self._real[folder] = real
        return real

    def _check(self, real: str) -> None:
        if not real.startswith(self._above):
            raise Unreadable("lies outside of the manifest's folder")

    def _descriptor(self, real: str) -> int:
        try:
            return open_regular(real, follow=False)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise Unreadable(_reason(error)) from error
        target = os.path.realpath(real)
        self._check(target)
        try:
            return open_regular(target, follow=False)
        except OSError as error:
            raise Unreadable(_reason(error)) from error


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "does not exist"
        case PermissionError():
            return "cannot be read: permission denied"
        case IsADirectoryError():
            return "is a folder: name a file"
        case _ if error.errno == errno.EINVAL:
            return str(error.strerror).removeprefix("it ")
        case _ if error.errno == errno.ELOOP:
            return "is a symlink that leads in a circle"
        case _:
            return f"cannot be read: {error.strerror}"
