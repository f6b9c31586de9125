"""Only regular files inside of the manifest's folder are opened."""

from __future__ import annotations

import os
import socket
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.manifest.confined_folder import Folder, Unreadable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file in it, and a secret beside it."""
    (tmp_path / "secret.md").write_text("secret")
    root = tmp_path / "stack"
    (root / "content").mkdir(parents=True)
    (root / "content" / "a.md").write_text("a file")
    return root


def read(root: Path, path: str) -> str:
    with Folder(root).open(path) as file:
        content = file.whole(most=file.size)
    assert len(content) == file.size
    return content.decode()


def complaint(root: Path, path: str) -> str:
    with pytest.raises(Unreadable) as caught:
        Folder(root).open(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["content/a.md", "./content/a.md", "content//a.md", "content/../content/a.md"],
)
def test_spellings(root: Path, path: str) -> None:
    """A file is found however its path is spelled."""
    assert read(root, path) == "a file"


@pytest.mark.parametrize("path", [".git/config", ".GIT/config", "link.md", "folder/config", ".git"])
def test_git(root: Path, path: str) -> None:
    """No path leads into git's own folder, where a CI keeps the token of its job."""
    for name in (".git", ".GIT"):
        (root / name).mkdir(exist_ok=True)
        (root / name / "config").write_text("[http] extraheader = token")
    (root / "link.md").symlink_to(".git/config")
    (root / "folder").symlink_to(".git")

    assert complaint(root, path).startswith("lies in git's own folder")


def test_relative_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may be given relative to the current one."""
    monkeypatch.chdir(root.parent)

    assert read(Path("stack"), "content/a.md") == "a file"


def test_links_inside(root: Path) -> None:
    """Symlinks to files and folders inside are followed."""
    (root / "link.md").symlink_to("content/a.md")
    (root / "again.md").symlink_to(root / "link.md")
    (root / "folder").symlink_to("content")

    assert {read(root, path) for path in ("link.md", "again.md", "folder/a.md")} == {"a file"}


def test_linked_root(root: Path) -> None:
    """The folder itself may be a symlink."""
    link = root.parent / "link"
    link.symlink_to(root)

    assert read(link, "content/a.md") == "a file"


@pytest.mark.parametrize(
    "path",
    ["../secret.md", "content/../../secret.md", "out.md", "out/secret.md", "up/../secret.md"],
)
def test_outside(root: Path, path: str) -> None:
    """No path leads outside, neither by dots nor by symlinks to files or folders."""
    (root / "out.md").symlink_to("../secret.md")
    (root / "out").symlink_to("..")
    (root / "up").symlink_to(root.parent / "stack")

    assert complaint(root, path) == "lies outside of the manifest's folder"


def test_sibling(root: Path) -> None:
    """A folder whose name begins alike is outside."""
    other = root.parent / "stack-2"
    other.mkdir()
    (other / "a.md").write_text("other")

    assert complaint(root, "../stack-2/a.md") == "lies outside of the manifest's folder"


def test_absolute(root: Path) -> None:
    """An absolute path is refused, since it holds on one machine only."""
    message = complaint(root, str(root / "content" / "a.md"))

    assert message == "is absolute: write it relative to the manifest's folder"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("content/b.md", "does not exist"),
        ("nowhere/a.md", "does not exist"),
        ("content/a.md/b", "does not exist"),
        ("content", "is a folder: name a file"),
        ("content/", "is a folder: name a file"),
        (".", "is a folder: name a file"),
        ("dangling.md", "does not exist"),
        ("circle.md", "is a symlink that leads in a circle"),
        ("fifo.md", "is a FIFO, not a regular file"),
        ("socket.md", "is a socket, not a regular file"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_unreadable(root: Path, path: str, message: str) -> None:
    """What is no regular file is refused, and nothing waits for a FIFO."""
    os.mkfifo(root / "fifo.md")
    (root / "dangling.md").symlink_to("nothing.md")
    (root / "circle.md").symlink_to("circle.md")
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        here = Path.cwd()
        os.chdir(root)
        listener.bind("socket.md")
        os.chdir(here)

        assert complaint(root, path) == message


def test_device(root: Path) -> None:
    """A device is refused, even if its node stands in the folder."""
    try:
        os.mknod(root / "zero.md", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make a device")

    assert complaint(root, "zero.md") == "is a device, not a regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission(root: Path) -> None:
    """A file that may not be read is named so."""
    (root / "content" / "a.md").chmod(0)

    assert complaint(root, "content/a.md") == "cannot be read: permission denied"


def test_descriptors(root: Path) -> None:
    """Refusing a folder leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    complaint(root, "content")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders and files of short names, two levels deep, some of them hidden."""
    root = tmp_path_factory.mktemp("tree")
    for above in ("a", "ab", "b", ".c"):
        for below in ("a.md", "b.md", "ab", ".hidden"):
            (root / above).mkdir(exist_ok=True)
            (root / above / below).write_text("x")
    return root


STEPS = st.text("ab*?.md", min_size=1, max_size=4).filter(
    lambda step: "**" not in step and step not in {".", ".."}
)


@given(steps=st.lists(STEPS, min_size=1, max_size=2))
def test_patterns(tree: Path, steps: list[str]) -> None:
    """A pattern names each visible path that its steps match one by one, in order, and no other."""
    visible = [
        path.relative_to(tree)
        for path in tree.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(tree).parts)
    ]
    expected = sorted(
        path.as_posix()
        for path in visible
        if len(path.parts) == len(steps) and all(map(fnmatchcase, path.parts, steps))
    )
    try:
        matches = [match.path for match in Folder(tree).matches("/".join(steps))]
    except Unreadable:
        matches = []

    assert matches == expected
