"""What of a checkout is not there, as git sees it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from provisioner.checkout import (
    Absent,
    LocalCheckout,
    Pointer,
    bare_repositories,
    is_submodule,
    locked,
    pointer_in,
    stacks_among,
    stacks_in,
)
from provisioner.git import Git, git_at
from tests.repository import ALONE, git

OID = "0123456789abcdef" * 4
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12\n".encode()
ENVIRON = {"PATH": os.environ["PATH"], **ALONE}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with two stacks."""
    top = tmp_path / "top"
    for stack in ("bot", "faq"):
        (top / stack).mkdir(parents=True)
        (top / stack / "ctxprov.yaml").write_text(f"stack: {stack}\n")
        (top / stack / "page.md").write_text("text")
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "all")
    return top


def opened(top: Path) -> Git:
    return git_at(top, environ=ENVIRON, warn=print)


def checkout(folder: Path) -> LocalCheckout:
    return LocalCheckout(folder, environ=ENVIRON, warn=print)


def test_a_whole_checkout(top: Path, tmp_path: Path) -> None:
    """Of a whole checkout nothing is absent, nor of a folder outside of git."""
    assert checkout(top / "bot").absent() == ()
    assert checkout(top / "bot").left_out() == ()
    assert checkout(tmp_path).absent() == ()


def test_a_sparse_checkout(top: Path) -> None:
    """A file that a sparse checkout leaves out is named, with the command that brings it."""
    git(top, "sparse-checkout", "set", "--cone", "faq")
    expected = Absent(
        "bot/page.md",
        "is left out by the sparse checkout: run git sparse-checkout add bot",
        is_tree=False,
    )

    assert expected in checkout(top).absent()
    assert checkout(top).left_out() == checkout(top).absent()
    assert checkout(top / "faq").absent() == ()
    stacks = stacks_in(opened(top))
    assert stacks.here == {PurePosixPath("faq")}
    assert stacks.left_out == {PurePosixPath("bot")}


def test_a_submodule(top: Path, tmp_path: Path) -> None:
    """A submodule is looked into if it is checked out, and else named with the command."""
    below = tmp_path / "below"
    (below / "caches").mkdir(parents=True)
    (below / "caches" / "ctxprov.yaml").write_text("stack: below\n")
    git(below, "init", "--quiet", "--initial-branch=main")
    git(below, "add", ".")
    git(below, "commit", "--quiet", "--message", "all")
    git(top, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(below), "lib")

    assert is_submodule(opened(top), "lib")
    assert not is_submodule(opened(top), "bot")
    assert PurePosixPath("lib/caches") in stacks_in(opened(top)).here
    assert checkout(top).absent() == ()

    git(top, "submodule", "deinit", "--quiet", "--force", "lib")
    [absent] = checkout(top).absent()
    assert (absent.path, absent.is_tree) == ("lib", True)
    assert absent.reason.endswith("run git submodule update --init lib")
    assert stacks_in(opened(top)).unseen == (f"lib {absent.reason}",)


def test_stacks_among() -> None:
    """A folder is a stack by the one name of its manifest."""
    paths = ["ctxprov.yaml", "a/ctxprov.yaml", "b/x.ctxprov.yaml", "c/ctxprov.yaml/x"]

    assert stacks_among(paths) == {PurePosixPath(), PurePosixPath("a")}


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (LFS, Pointer(OID, 12)),
        (LFS.replace(b"\n", b"\r\n"), Pointer(OID, 12)),
        (LFS.removesuffix(b"\n"), Pointer(OID, 12)),
        (LFS.replace(b"oid", b"ext-0-x sha256:1\noid"), Pointer(OID, 12)),
        (LFS + b"more", None),
        (b"# A pointer\n" + LFS, None),
        (LFS.replace(b"size 12", b"size x"), None),
        (LFS.ljust(1024), None),
    ],
)
def test_pointers(content: bytes, pointer: Pointer | None) -> None:
    """A pointer of git LFS is one by its whole text."""
    assert pointer_in(content) == pointer


@pytest.mark.parametrize(
    ("head", "program"),
    [
        (b"\0GITCRYPT\0secret", "git-crypt unlock"),
        (b"/annex/objects/SHA256E-s1--x\n", "git annex get"),
        (b"see /annex/objects/x", None),
        (b"plain", None),
    ],
)
def test_locked_files(head: bytes, program: str | None) -> None:
    """What another tool left in place of a file is named with what unlocks it."""
    reason = locked(head)

    assert reason.endswith(f"run {program}") if reason and program else reason is program


def test_bare_repositories(top: Path) -> None:
    """A folder that git would take for a bare repository is found, a `.git` is none."""
    bare = top / "bot" / "pages"
    for name in ("objects", "refs"):
        (bare / name).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")

    assert list(bare_repositories(top)) == [bare]
    assert list(bare_repositories(bare / "refs")) == [bare]
    assert list(bare_repositories(top / "faq")) == []
