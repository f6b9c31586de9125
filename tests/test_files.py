"""Files are replaced whole, or not at all."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.files import read_whole, write_whole
from provisioner.runtime import SYSTEM

OLD, NEW = b"old\n", b"new\n" * 1000


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file may grow beyond *room* bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_and_read(tmp_path: Path) -> None:
    """What is written can be read, in folders that did not exist."""
    path = tmp_path / "deep" / "down" / "file.json"
    write_whole(path, NEW, SYSTEM)
    assert read_whole(path) == NEW
    assert names(path.parent) == ["file.json"]


def test_new_file_mode(tmp_path: Path) -> None:
    """A new file has the permissions that the umask leaves."""
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "f", NEW, SYSTEM)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_mode_is_kept(tmp_path: Path, mode: int) -> None:
    """A file that is replaced keeps its permissions."""
    path = tmp_path / "f"
    path.write_bytes(OLD)
    path.chmod(mode)
    write_whole(path, NEW, SYSTEM)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_open_readers_keep_the_old(tmp_path: Path) -> None:
    """A reader that has the file open reads the old content to its end."""
    path = tmp_path / "f"
    path.write_bytes(OLD)
    with path.open("rb") as file:
        write_whole(path, NEW, SYSTEM)
        assert file.read() == OLD
    assert path.read_bytes() == NEW


def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up leaves the old file, and nothing else."""
    path = tmp_path / "f"
    path.write_bytes(OLD)
    with full_disk(len(NEW) // 2), pytest.raises(OSError, match="File too large"):
        write_whole(path, NEW, SYSTEM)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["f"]


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A folder that cannot be made is an OSError like any other."""
    (tmp_path / "f").write_bytes(OLD)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "f" / "g", NEW, SYSTEM)


def test_symbolic_link(tmp_path: Path) -> None:
    """A link is neither followed nor replaced."""
    (tmp_path / "target").write_bytes(OLD)
    link = tmp_path / "link"
    link.symlink_to("target")
    with pytest.raises(OSError, match="symbolic link"):
        write_whole(link, NEW, SYSTEM)
    with pytest.raises(OSError, match="symbolic link"):
        read_whole(link)
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == OLD


def test_dangling_link(tmp_path: Path) -> None:
    """A link to nowhere does not make a file there."""
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    with pytest.raises(OSError, match="symbolic link"):
        write_whole(link, NEW, SYSTEM)
    assert names(tmp_path) == ["link"]


def test_folder_and_fifo(tmp_path: Path) -> None:
    """A folder or a pipe in the file's place is refused at once, and stays."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OSError, match="not a regular file"):
            write_whole(tmp_path / name, NEW, SYSTEM)
        with pytest.raises(OSError, match="not a regular file"):
            read_whole(tmp_path / name)
    assert names(tmp_path) == ["folder", "pipe"]


def test_long_name(tmp_path: Path) -> None:
    """A name as long as a name may be leaves room to write it."""
    path = tmp_path / ("n" * 255)
    write_whole(path, NEW, SYSTEM)
    assert path.read_bytes() == NEW


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # an address of a socket is short
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "it is a FIFO, not a regular file"),
    "folder": (Path.mkdir, "it is a folder, not a regular file"),
    "socket": (make_socket, "it is a socket, not a regular file"),
    "sparse": (make_sparse, "it has 3,221,225,472 bytes, and at most 268,435,456 are read"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(tmp_path: Path, kind: str) -> None:
    """What is no file, or too large a one, is refused at once by its kind, size and limit."""
    make, why = KINDS[kind]
    make(tmp_path / "f")
    with pytest.raises(OSError) as caught:  # noqa: PT011  # its words follow
        read_whole(tmp_path / "f", follow=True)
    assert caught.value.strerror == why


def test_a_link_is_followed_where_it_may_be(tmp_path: Path) -> None:
    """A path that a person names may be a link, as what Kubernetes mounts is."""
    (tmp_path / "target").write_bytes(OLD)
    (tmp_path / "link").symlink_to("target")
    assert read_whole(tmp_path / "link", follow=True) == OLD


def test_limit(tmp_path: Path) -> None:
    """A file of exactly its limit is read, one byte more is refused."""
    (tmp_path / "f").write_bytes(OLD)
    assert read_whole(tmp_path / "f", most=4) == OLD
    with pytest.raises(OSError, match="it has 4 bytes, and at most 3 are read"):
        read_whole(tmp_path / "f", most=3)


def test_a_file_that_denies_its_size() -> None:
    """A file whose size is unknown until it is read is held to its limit all the same."""
    with pytest.raises(OSError, match="it grows while it is read, and at most 10 are read"):
        read_whole(Path("/proc/self/status"), most=10)
