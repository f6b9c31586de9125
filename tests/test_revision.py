"""Another revision as files: those of a checkout, with nothing of the repository run for them."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest

from provisioner.errors import GitFailed
from provisioner.git import git_at
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.revision import GitRevision, merge_base
from tests.repository import ALONE, git

STACK = PurePosixPath("stack")
LARGE = b"a large file " * 100
POINTER = (
    f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(LARGE).hexdigest()}\n"
    f"size {len(LARGE)}\n"
).encode()


def committed(top: Path, **files: str | bytes) -> Path:
    """A repository whose `stack` has *files*, by name without suffix."""
    (top / "stack").mkdir(parents=True, exist_ok=True)
    for name, content in {"ctxprov": "stack: demo\n", **files}.items():
        suffix = ".yaml" if name == "ctxprov" else ".md"
        raw = content.encode() if isinstance(content, str) else content
        (top / "stack" / f"{name}{suffix}").write_bytes(raw)
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "all")
    return top


def head(top: Path) -> GitRevision:
    environ = {"PATH": os.environ["PATH"], **ALONE}
    return merge_base(git_at(top, environ=environ, warn=print), "HEAD")


def content(top: Path, name: str) -> bytes:
    """What a file of the stack holds at HEAD."""
    with head(top).files(STACK) as there:
        assert there
        with Folder(there.folder, there).open(name) as file:
            return file.whole(most=file.size)


def test_what_is_not_for_archives(tmp_path: Path) -> None:
    """Files that are left out of archives, or filled in for them, are as a checkout has them."""
    top = committed(tmp_path / "top", a="a", b="$Format:%H$")
    (top / ".gitattributes").write_text("a.md export-ignore\nb.md export-subst\n")
    (top / "stack" / "away").symlink_to("/nowhere")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "more")

    assert content(top, "a.md") == b"a"
    assert content(top, "b.md") == b"$Format:%H$"
    with head(top).files(STACK) as there:
        assert there
        assert (there.folder / "away").is_symlink()
    with head(top).files(PurePosixPath("elsewhere")) as there:
        assert there is None


def test_line_ends_are_those_of_a_checkout(tmp_path: Path) -> None:
    """What attributes say of the line ends of a file holds."""
    top = committed(tmp_path / "top", a="one\ntwo\n")
    (top / "stack" / ".gitattributes").write_text("a.md text eol=crlf\n")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "an attribute")

    assert content(top, "a.md") == b"one\r\ntwo\r\n"


def test_attributes_are_those_of_the_revision(tmp_path: Path) -> None:
    """Attributes that the working tree has by now change no file of an earlier revision."""
    top = committed(tmp_path / "top", a="$Id$ one\n")
    (top / "stack" / ".gitattributes").write_text("a.md ident working-tree-encoding=UTF-16LE\n")

    assert content(top, "a.md") == b"$Id$ one\n"


def test_a_sparse_checkout_has_every_file_of_a_revision(tmp_path: Path) -> None:
    """What a sparse checkout leaves out of the working tree is in the revision's files."""
    top = committed(tmp_path / "top", a="a")
    git(top, "sparse-checkout", "set", "--cone", "--sparse-index", "other")
    assert not (top / "stack").exists()

    assert content(top, "a.md") == b"a"


@pytest.mark.parametrize("storage", [None, "big", "/big"])
def test_a_pointer_stands_for_the_object(tmp_path: Path, storage: str | None) -> None:
    """A pointer of git LFS is read as the object that the repository keeps for it."""
    top = committed(tmp_path / "top", manual=POINTER)
    oid = sha256(LARGE).hexdigest()
    place = top / ".git" / (storage or "lfs").removeprefix("/")
    if storage:
        configured = str(place) if storage.startswith("/") else storage
        git(top, "config", "lfs.storage", configured)
    store = place / "objects" / oid[:2] / oid[2:4]
    store.mkdir(parents=True)
    (store / oid).write_bytes(LARGE)

    assert content(top, "manual.md") == LARGE


def test_an_object_that_is_damaged(tmp_path: Path) -> None:
    """An object whose bytes are not those of its name stands for nothing."""
    top = committed(tmp_path / "top", manual=POINTER)
    oid = sha256(LARGE).hexdigest()
    store = top / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4]
    store.mkdir(parents=True)
    (store / oid).write_bytes(LARGE.swapcase())

    with pytest.raises(Unreadable, match=r"git LFS pointer.*run git lfs fetch origin"):
        content(top, "manual.md")


def test_a_linked_worktree(tmp_path: Path) -> None:
    """A linked worktree has the revisions, and the objects of git LFS, of its repository."""
    top = committed(tmp_path / "top", a="a", manual=POINTER)
    oid = sha256(LARGE).hexdigest()
    store = top / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4]
    store.mkdir(parents=True)
    (store / oid).write_bytes(LARGE)
    git(top, "worktree", "add", "--quiet", "../tree", "-b", "other")

    assert content(tmp_path / "tree", "a.md") == b"a"
    assert content(tmp_path / "tree", "manual.md") == LARGE


def test_a_pointer_stands_for_the_working_file(tmp_path: Path) -> None:
    """Without the object, the file of the working tree is read if it is the very same."""
    top = committed(tmp_path / "top", manual=POINTER)
    (top / "stack" / "manual.md").write_bytes(LARGE)
    assert content(top, "manual.md") == LARGE

    (top / "stack" / "manual.md").write_bytes(LARGE.swapcase())
    with pytest.raises(Unreadable, match=r"git LFS pointer.*run git lfs fetch origin"):
        content(top, "manual.md")


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    """A repository whose `stack/prompts` is a submodule, with another commit after that."""
    inner = committed(tmp_path / "inner", acme="acme one")
    outer = committed(tmp_path / "outer", own="own")
    allowed = ("-c", "protocol.file.allow=always")
    git(outer, *allowed, "submodule", "--quiet", "add", str(inner), "stack/prompts")
    git(outer, "commit", "--quiet", "--message", "a submodule")
    committed(inner, acme="acme two")
    git(outer / "stack/prompts", *allowed, "pull", "--quiet")
    return outer


def test_a_submodule_at_its_recorded_commit(outer: Path) -> None:
    """Files in a submodule are those of the commit that the revision records."""
    assert (outer / "stack/prompts/stack/acme.md").read_text() == "acme two"

    assert content(outer, "prompts/stack/acme.md") == b"acme one"
    assert head(outer).stacks() == {STACK, PurePosixPath("stack/prompts/stack")}


def test_a_stack_within_a_submodule(outer: Path) -> None:
    """A stack of a submodule is found from the top of the repository around that."""
    with head(outer).files(PurePosixPath("stack/prompts/stack")) as there:
        assert there
        assert (there.folder / "acme.md").read_bytes() == b"acme one"


def test_a_submodule_that_is_not_checked_out(outer: Path, tmp_path: Path) -> None:
    """Files in an absent submodule are named with the command that checks it out."""
    git(tmp_path, "clone", "--quiet", str(outer), "clone")

    remedy = r"not checked out: run git submodule update --init stack/prompts"
    with pytest.raises(Unreadable, match=remedy):
        content(tmp_path / "clone", "prompts/stack/acme.md")
    with pytest.raises(GitFailed, match=remedy):
        head(tmp_path / "clone").files(PurePosixPath("stack/prompts/stack")).__enter__()
    assert [remedy in one for one in head(tmp_path / "clone").unseen()] == [True]


def test_a_submodule_without_the_commit(outer: Path, tmp_path: Path) -> None:
    """A submodule that lacks the recorded commit is named with the command that fetches it."""
    allowed = ("-c", "protocol.file.allow=always")
    git(tmp_path, "clone", "--quiet", str(outer), "clone")
    clone = tmp_path / "clone"
    inner = f"file://{tmp_path}/inner"
    git(clone, *allowed, "clone", "--quiet", "--depth=1", inner, "stack/prompts")

    with pytest.raises(Unreadable, match=r"lacks the commit .*: run git -C stack/prompts fetch"):
        content(clone, "prompts/stack/acme.md")


def test_a_shallow_clone(tmp_path: Path) -> None:
    """Where the common commit was not fetched, the answer names the depth."""
    top = committed(tmp_path / "top", a="a")
    git(top, "branch", "other")
    committed(top, a="b")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{top}", "clone")
    git(tmp_path / "clone", "fetch", "--quiet", "--depth=1", "origin", "other:other")
    shallow = head(tmp_path / "clone").git

    with pytest.raises(GitFailed, match=r"no common commit.*fetch-depth: 0"):
        merge_base(shallow, "other")
    with pytest.raises(GitFailed, match=r"no commit.*Fetch it first"):
        merge_base(shallow, "elsewhere")


def test_a_partial_clone(tmp_path: Path) -> None:
    """A partial clone fetches the files that it lacks."""
    top = committed(tmp_path / "top", a="a")
    committed(top, a="b")
    git(top, "config", "uploadpack.allowFilter", "true")
    git(top, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{top}", "clone")
    clone = head(tmp_path / "clone").git

    with merge_base(clone, "HEAD~1").files(STACK) as there:
        assert there
        assert (there.folder / "a.md").read_bytes() == b"a"
