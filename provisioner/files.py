"""
Whole files: read one at once, replace one in one step.

Only regular files are touched, never what a link or a device leads to.  This module
knows nothing of what is in them.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path


def read_whole(path: Path) -> bytes:
    """Read a regular file.  Raises OSError, also for a link, a folder or a device."""
    _mode_of_regular(path)
    return path.read_bytes()


def write_whole(path: Path, content: bytes) -> None:
    """
    Replace the file at *path* in one step, or leave everything as it was.

    A reader sees the old content or the new, never half of it, and once this returns the
    new one survives a power cut.  The file keeps its permissions; missing folders are
    made.  Raises OSError, also if something other than a regular file is in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        return _replace(path, content, _mode_of_regular(path))
    return _replace(path, content, None)


def _mode_of_regular(path: Path) -> int:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "a symbolic link is in its place", str(path))
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a folder is in its place", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "something that is no regular file is in its place", str(path))
    return stat.S_IMODE(mode)


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    draft = path.with_name(f".ctxprov-{secrets.token_hex(8)}.tmp")
    try:
        with draft.open("xb") as file:
            if mode is not None:
                draft.chmod(mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network mounts cannot
            raise
    finally:
        os.close(opened)
