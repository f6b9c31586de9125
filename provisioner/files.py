"""
Whole files: read one at once, replace one in one step.

Only regular files are touched, and none is read beyond its limit: a device may never end, a FIFO
may never begin, a sparse file may have terabytes.  This module knows nothing of what is in them,
but knows where the JSON Schemas lie that are installed with it, and where a checkout begins.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from provisioner.runtime import Runtime

LARGEST = 256 * 1024 * 1024
"""Bytes of the largest document of ours: a state, a plan, published handles."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GIT = ".git"
_CHUNK = 64 * 1024
_KINDS = (
    (stat.S_ISLNK, errno.ELOOP, "a symbolic link"),
    (stat.S_ISDIR, errno.EISDIR, "a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "a FIFO"),
    (stat.S_ISSOCK, errno.EINVAL, "a socket"),
    (stat.S_ISCHR, errno.EINVAL, "a device"),
    (stat.S_ISBLK, errno.EINVAL, "a device"),
)


def read_whole(path: Path, *, most: int = LARGEST, follow: bool = False) -> bytes:
    """
    Read a regular file of at most *most* bytes; *follow* a symbolic link to one.

    Never waits and never holds more than *most* bytes.  Raises OSError, whose `strerror` names
    the kind, the size and the limit.
    """
    descriptor, status = open_regular(path, follow=follow)
    try:
        return read_open(descriptor, status.st_size, most=most)
    finally:
        os.close(descriptor)


def open_regular(
    path: str | bytes | os.PathLike[str], *, follow: bool
) -> tuple[int, os.stat_result]:
    """
    Open a regular file for reading: its descriptor, for the caller to close, and its status.

    Raises OSError for anything else, at once: what it is decides before and after it is opened,
    since to open a device may do something.
    """
    _check_kind(os.stat(path, follow_symlinks=follow).st_mode, path)  # noqa: PTH116  # a hot path
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    try:
        status = os.fstat(descriptor)
        _check_kind(status.st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def read_open(descriptor: int, size: int, *, most: int) -> bytes:
    """Read an open file of *size* bytes to its end.  Raises OSError beyond *most* bytes."""
    if size > most:
        raise _too_large(f"it has {size:,} bytes", most)
    chunks: list[bytes] = []
    rest = most
    while chunk := os.read(descriptor, max(size + 1, _CHUNK)):
        chunks.append(chunk)
        rest -= len(chunk)
        if rest < 0:
            raise _too_large("it grows while it is read", most)
    return b"".join(chunks)


def _too_large(what: str, most: int) -> OSError:
    return OSError(errno.EFBIG, f"{what}, and at most {most:,} are read")


def _check_kind(mode: int, path: str | bytes | os.PathLike[str]) -> None:
    if stat.S_ISREG(mode):
        return
    for is_kind, number, noun in _KINDS:
        if is_kind(mode):
            raise OSError(number, f"it is {noun}, not a regular file", os.fspath(path))


def names_in(folder: bytes) -> list[str]:
    """The names in *folder*; none if it cannot be listed."""
    try:
        return [text_of(name) for name in os.listdir(folder)]  # noqa: PTH208  # names, not paths
    except OSError:
        return []


def text_of(name: bytes) -> str:
    """A *name* as text, independent of this machine's encoding of names: UTF-8 or surrogates."""
    return name.decode(errors="surrogateescape")


DRAFT = ".ctxprov.tmp"
"""The draft of a writer that has its folder to itself."""


def leads_out(path: Path, top: Path) -> str | None:
    """
    Say why nothing may be written at *path*: it is not below the folder *top*, or in a `.git`.

    Links are followed.  None if it may.
    """
    real = Path(os.path.realpath(path))
    top = Path(os.path.realpath(top))
    if not real.is_relative_to(top):
        return f"leads out of {top}, to {real}"
    if any(part.lower() == _GIT for part in real.relative_to(top).parts):
        return f"leads into a {_GIT} folder"
    return None


def write_whole(path: Path, content: bytes, runtime: Runtime, *, alone: bool = False) -> None:
    """
    Replace the file at *path* in one step, or leave everything as it was.

    A reader sees the old content or the new, never half of it, and once this returns the
    new one survives a power cut.  The file keeps its permissions; missing folders are
    made.  Raises OSError, also if something other than a regular file is in its place.

    *alone*: no other process writes into the folder.  The draft then has one name, so that the
    next writer clears away what a killed one left, unless something else has that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(DRAFT)
    if not (alone and _is_free(draft)):
        draft = path.with_name(f".ctxprov-{runtime.token(8)}.tmp")
    with suppress(FileNotFoundError):
        return _replace(path, draft, content, _mode_of_regular(path))
    return _replace(path, draft, content, None)


def _is_free(draft: Path) -> bool:
    """Clear away a file or a link; a folder, which a checkout may hold, stays."""
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _mode_of_regular(path: Path) -> int:
    mode = path.lstat().st_mode
    _check_kind(mode, path)
    return stat.S_IMODE(mode)


def _replace(path: Path, draft: Path, content: bytes, mode: int | None) -> None:
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


def schema_bytes(name: str) -> bytes:
    """
    Read the schema *name*, `manifest`, `plan` and so on: from the wheel, or from a checkout.

    Raises FileNotFoundError if there is none.
    """
    here = Path(__file__).parent
    folder = next(filter(Path.is_dir, (here / "schemas", here.parent / "schemas")))
    return (folder / f"{name}.schema.json").read_bytes()


def top_of(folder: Path) -> Path | None:
    """The nearest folder above *folder*, or itself, that has a `.git` entry; links are followed."""
    place = folder.resolve()
    return next((top for top in (place, *place.parents) if os.path.lexists(top / ".git")), None)
