"""A branch of a real remote, written to by several clones at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from msgspec import structs

from provisioner.errors import BackendUnreachable, StateError, StateTaken
from provisioner.runtime import SYSTEM
from provisioner.storage import Backend, StoredFile, open_backend
from provisioner.storage.git_branch import GitFiles
from provisioner.storage.git_repository import Repository
from provisioner.storage.lease import LeaseBackend
from tests.storage.clock import AT_NOW, with_clock
from tests.storage.conformance import LeaseConformance, Open

ENVIRON: Mapping[str, str] = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
}
"""A machine on which git knows nobody."""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=dev", "-c", "user.email=dev@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words],
        env=ENVIRON,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository with one commit on its default branch."""
    bare = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    work = tmp_path / "first"
    git(tmp_path, "clone", "--quiet", str(bare), str(work))
    git(work, "checkout", "--quiet", "-B", "main")
    for content in ("one", "two", "three"):
        (work / "file").write_text(content)
        git(work, "add", "file")
        git(work, "commit", "--quiet", "-m", content)
    git(work, "push", "--quiet", "origin", "main")
    return bare


@pytest.fixture
def clone(tmp_path: Path, remote: Path) -> Callable[[str], Path]:
    def make(name: str, *words: str) -> Path:
        git(tmp_path, "clone", "--quiet", *words, f"file://{remote}", str(tmp_path / name))
        return tmp_path / name

    return make


def files(folder: Path, branch: str = "live", **changes: str) -> GitFiles:
    environ = {**ENVIRON, **changes}
    repository = Repository(
        folder=folder, branch=branch, environ=environ, runtime=SYSTEM, warn=print
    )
    return GitFiles(repository)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a clone, git's own included."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class TestConformance(LeaseConformance):
    """What every backend promises; each machine has a clone of its own."""

    rounds = 1

    @pytest.fixture
    def open_place(self, clone: Callable[..., Path]) -> Open:
        numbers = count()

        def open_(now: Callable[[], datetime]) -> Backend:
            folder = clone(f"machine-{next(numbers)}")
            return LeaseBackend(files(folder), runtime=with_clock(now))

        return open_


def test_the_address(clone: Callable[..., Path]) -> None:
    """The address names a branch of the repository around the manifest."""
    folder = clone("here") / "stacks/demo"
    folder.mkdir(parents=True)
    address = "git+branch:ctxprov/live"

    backend = open_backend(address, root=folder, environ=ENVIRON, runtime=AT_NOW)
    backend.write("a.json", b"one", expected=None)

    assert backend.where("a.json") == "git+branch:ctxprov/live/a.json"
    assert git(folder, "ls-remote", "origin", "refs/heads/ctxprov/live")
    assert not backend.keeps_history


def test_oversize(clone: Callable[..., Path]) -> None:
    """A file larger than a state can be is not read."""
    backend = files(clone("here"))
    backend.write("a.json", b"four", expected=None)
    backend.repository.largest = 3
    with pytest.raises(StateError, match="has 4 bytes, and at most 3 are read"):
        backend.read("a.json")


def test_another_clone_reads_what_was_written(clone: Callable[..., Path]) -> None:
    """What one clone writes another reads, with its version; deleted, it is gone for both."""
    here, there = files(clone("here")), files(clone("there"))

    first = here.write("a/b.json", b"one\0\xff", expected=None)
    found = there.read("a/b.json")
    assert found is not None
    assert (found.content, found.version) == (b"one\0\xff", first)
    second = there.write("a/b.json", b"two", expected=first)
    there.write("c.json", b"else", expected=None)

    assert here.read("a/b.json") == there.read("a/b.json")
    here.delete("a/b.json", expected=second)
    here.delete("a/b.json", expected=second)
    assert there.read("a/b.json") is None
    left = there.read("c.json")
    assert left is not None
    assert left.content == b"else"


@pytest.mark.heavy
def test_different_files_do_not_disturb_each_other(
    clone: Callable[..., Path], remote: Path
) -> None:
    """Eight writers of eight files all succeed, with a commit each."""
    writers = [files(clone(f"clone-{number}")) for number in range(8)]

    def write(number: int) -> str:
        return writers[number].write(f"{number}.json", str(number).encode(), expected=None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    names = git(remote, "ls-tree", "--name-only", "live").split()
    assert names == [".ctxprov", *(f"{number}.json" for number in range(8))]
    assert git(remote, "rev-list", "--count", "live") == "8"
    assert git(remote, "log", "--format=%an <%ae>", "-1", "live") == "ctxprov <ctxprov@localhost>"
    assert git(remote, "rev-list", "--count", "live", "--not", "main") == "8"


def test_the_clone_is_left_alone(clone: Callable[..., Path], tmp_path: Path) -> None:
    """Neither working tree, index, refs, objects nor hooks of the clone are touched."""
    folder = clone("here")
    (folder / "file").write_text("half an edit")
    hook = folder / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\nexit 1\n")
    hook.chmod(0o755)
    git(folder, "config", "core.hooksPath", str(hook.parent))
    before = everything(folder)

    backend = files(folder)
    first = backend.write("a.json", b"one", expected=None)
    backend.write("a.json", b"two", expected=first)

    assert everything(folder) == before
    assert not (tmp_path / "hooked").exists()


def test_a_shallow_detached_clone(clone: Callable[..., Path]) -> None:
    """A CI checkout, one commit deep and on no branch, reads and writes like any other."""
    folder = clone("ci", "--depth=1")
    git(folder, "checkout", "--quiet", "--detach")
    other = files(clone("other"))
    first = other.write("a.json", b"one", expected=None)

    second = files(folder).write("a.json", b"two", expected=first)

    found = other.read("a.json")
    assert found is not None
    assert (found.content, found.version) == (b"two", second)


def test_run_by_a_hook(clone: Callable[..., Path], tmp_path: Path) -> None:
    """What git tells its hooks about their repository leads nowhere else."""
    astray = {"GIT_DIR": str(tmp_path / "x"), "GIT_INDEX_FILE": str(tmp_path / "y")}

    backend = files(clone("here"), **astray)
    backend.write("a.json", b"one", expected=None)

    assert backend.read("a.json") is not None


def test_the_identity_of_the_clone(clone: Callable[..., Path], remote: Path) -> None:
    """Where git knows who works here, that is whose commit it is."""
    folder = clone("here")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.com")

    files(folder).write("a.json", b"one", expected=None)

    assert git(remote, "log", "--format=%cn <%ce> %s", "live") == (
        "Ada <ada@example.com> Write a.json"
    )


def test_the_address_of_the_clone(clone: Callable[..., Path], remote: Path) -> None:
    """The remote is found as the clone finds it: renamed, rewritten, relative."""
    folder = clone("here")
    git(folder, "remote", "rename", "origin", "up/stream")
    git(folder, "config", "url.../remote.insteadOf", "short:remote")
    git(folder, "remote", "set-url", "up/stream", "short:remote.git")

    files(folder).write("a.json", b"one", expected=None)

    assert git(remote, "show", "live:a.json") == "one"


@pytest.mark.parametrize(
    ("branch", "why"),
    [
        ("main", "checked out"),
        ("-x", "no branch of that name"),
        ("a..b", "no branch of that name"),
        ("HEAD", "no branch of that name"),
        ("", "no branch of that name"),
        ("--upload-pack=x y", "no branch of that name"),
        ("other", "not begun"),
    ],
)
def test_a_branch_that_is_not_ours(
    clone: Callable[..., Path], remote: Path, branch: str, why: str
) -> None:
    """Neither the branch that is checked out nor one of another use is written to."""
    git(remote, "branch", "other", "main")
    before = git(remote, "for-each-ref")

    with pytest.raises(StateError, match=why):
        files(clone("here"), branch).write("a.json", b"one", expected=None)

    assert git(remote, "for-each-ref") == before


def test_the_default_branch(clone: Callable[..., Path]) -> None:
    """The remote's default branch is refused, also where another is checked out."""
    folder = clone("here")
    git(folder, "checkout", "--quiet", "-b", "work")

    with pytest.raises(StateError, match="default branch"):
        files(folder, "main").read("a.json")


def test_a_protected_branch(clone: Callable[..., Path], remote: Path) -> None:
    """The error of a push that the remote refuses quotes the remote, without a retry."""
    backend = files(clone("here"))
    first = backend.write("a.json", b"one", expected=None)
    hook = remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho GH006: protected >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(StateError, match=r"hook declined.*GH006: protected.*protected") as caught:
        backend.write("a.json", b"two", expected=first)

    assert not isinstance(caught.value, (StateTaken, BackendUnreachable))
    found = backend.read("a.json")
    assert found is not None
    assert found.content == b"one"


def test_a_remote_that_takes_no_rewriting(clone: Callable[..., Path], remote: Path) -> None:
    """A remote that takes only what follows its tip takes ours."""
    git(remote, "config", "receive.denyNonFastForwards", "true")
    git(remote, "config", "receive.denyDeletes", "true")
    here, there = files(clone("here")), files(clone("there"))

    first = here.write("a.json", b"one", expected=None)
    there.write("a.json", b"two", expected=first)

    assert git(remote, "rev-list", "--count", "live") == "2"


def test_no_remote(tmp_path: Path) -> None:
    """The error for a repository without a remote says how to add one."""
    git(tmp_path, "init", "--quiet", str(tmp_path / "alone"))

    with pytest.raises(StateError, match="git remote add origin"):
        files(tmp_path / "alone").read("a.json")


def test_no_repository(tmp_path: Path) -> None:
    """Outside a repository the answer says so, and git is not asked."""
    with pytest.raises(StateError, match="not in a git repository"):
        files(tmp_path).read("a.json")


def test_a_foreign_owner(clone: Callable[..., Path]) -> None:
    """A clone of another owner is refused with git's own remedy."""
    with pytest.raises(StateError, match=r"dubious ownership.*safe\.directory"):
        files(clone("here"), GIT_TEST_ASSUME_DIFFERENT_OWNER="1").read("a.json")


def test_no_git(clone: Callable[..., Path]) -> None:
    """Without the git command the answer names it."""
    folder = clone("here")

    with pytest.raises(StateError, match="git command"):
        files(folder, PATH="/nonexistent").read("a.json")


def test_the_remote_is_gone(clone: Callable[..., Path], remote: Path) -> None:
    """A remote that is not there any more needs a person; its credentials are not shown."""
    folder = clone("here")
    remote.rename(remote.with_name("moved.git"))
    with pytest.raises(StateError, match="git remote"):
        files(folder).read("a.json")

    git(folder, "remote", "set-url", "origin", "http://me:s3cret@127.0.0.1:1/x.git")
    with pytest.raises(BackendUnreachable, match="127") as caught:
        files(folder).read("a.json")

    assert "s3cret" not in str(caught.value)


@pytest.mark.heavy
def test_a_remote_that_is_silent(clone: Callable[..., Path]) -> None:
    """A remote that never answers is given up, with everything that git started for it."""
    folder = clone("here")
    git(folder, "remote", "set-url", "origin", "ssh://silent.invalid/x.git")
    git(folder, "config", "core.sshCommand", "sleep 60; :")
    repository = Repository(
        folder=folder, branch="live", environ=ENVIRON, runtime=SYSTEM, warn=print, timeout=1.0
    )

    with pytest.raises(BackendUnreachable, match="git ls-remote gave no answer within 1 s"):
        GitFiles(repository).read("a.json")


def test_a_lost_answer(clone: Callable[..., Path], remote: Path, tmp_path: Path) -> None:
    """A push whose answer was lost is looked up: it is done, and done once."""
    backend = files(clone("here"))
    first = backend.write("a.json", b"one", expected=None)
    hook = remote / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/lost\nkill -9 $PPID\n")
    hook.chmod(0o755)

    backend.write("a.json", b"two", expected=first)

    assert (tmp_path / "lost").exists()
    assert git(remote, "show", "live:a.json") == "two"
    assert git(remote, "rev-list", "--count", "live") == "2"


def test_a_wire_that_breaks(clone: Callable[..., Path], remote: Path, tmp_path: Path) -> None:
    """A push whose answer was lost is looked up also where the next question fails."""
    folder, waits = clone("here"), list[float]()
    wire, broken = tmp_path / "wire", tmp_path / "broken"
    wire.write_text(f'#!/bin/sh\nrm {broken} 2>/dev/null && exit 255\nshift; exec sh -c "$1"\n')
    wire.chmod(0o755)
    git(folder, "config", "core.sshCommand", str(wire))
    git(folder, "config", "ssh.variant", "simple")
    git(folder, "remote", "set-url", "origin", f"ssh://nowhere{remote}")
    backend = GitFiles(
        replace(files(folder).repository, runtime=structs.replace(SYSTEM, pause=waits.append))
    )
    first = backend.write("a.json", b"one", expected=None)
    hook = remote / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {broken}\nkill -9 $PPID\n")
    hook.chmod(0o755)

    second = backend.write("a.json", b"two", expected=first)

    assert not broken.exists()
    assert backend.read("a.json") == StoredFile(content=b"two", version=second)
    assert git(remote, "rev-list", "--count", "live") == "2"


def test_what_the_checkout_may_name(
    clone: Callable[..., Path], remote: Path, tmp_path: Path
) -> None:
    """Of a clone's own configuration the remote's URL and what authenticates there are taken."""
    folder, ran = clone("here"), tmp_path / "ran"
    for key in ("core.fsmonitor", "core.gitProxy", "remote.origin.uploadpack"):
        git(folder, "config", key, f"touch {ran}; false")
    git(folder, "config", "remote.origin.receivepack", f"touch {ran}; false")
    git(folder, "config", "core.hooksPath", str(tmp_path / "hooks"))
    hook = tmp_path / "hooks" / "pre-push"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {ran}\nexit 1\n")
    hook.chmod(0o755)
    files(folder).write("a.json", b"one", expected=None)
    assert git(remote, "show", "live:a.json") == "one"

    git(folder, "config", "protocol.ext.allow", "always")
    git(folder, "remote", "set-url", "origin", f"ext::sh -c touch% {ran}")
    with pytest.raises(StateError, match="transport 'ext' not allowed"):
        files(folder).read("a.json")

    assert not ran.exists()


def test_what_the_user_says_of_this_clone(
    clone: Callable[..., Path], remote: Path, tmp_path: Path
) -> None:
    """Settings that the user's own configuration includes for one repository hold there."""
    folder, mine = clone("here"), tmp_path / "gitconfig"
    git(folder, "remote", "set-url", "origin", "short:remote.git")
    (tmp_path / "work").write_text(f'[url "file://{tmp_path}/"]\n\tinsteadOf = short:\n')
    mine.write_text(f'[includeIf "gitdir:{folder}/"]\n\tpath = {tmp_path}/work\n')

    files(folder, GIT_CONFIG_GLOBAL=str(mine)).write("a.json", b"one", expected=None)

    assert git(remote, "show", "live:a.json") == "one"


def test_what_a_remote_warns_of(clone: Callable[..., Path], remote: Path, tmp_path: Path) -> None:
    """What git warns of beside an answer of the remote is passed on."""
    folder, wire = clone("here"), tmp_path / "wire"
    wire.write_text('#!/bin/sh\necho "warning: moved" >&2; shift; exec sh -c "$1"\n')
    wire.chmod(0o755)
    git(folder, "config", "core.sshCommand", str(wire))
    git(folder, "config", "ssh.variant", "simple")
    git(folder, "remote", "set-url", "origin", f"ssh://nowhere{remote}")
    warnings: list[str] = []
    repository = Repository(
        folder=folder, branch="live", environ=ENVIRON, runtime=SYSTEM, warn=warnings.append
    )

    assert repository.tip() is None

    assert warnings == ["moved"]


@pytest.mark.heavy
def test_a_lock_that_a_killed_push_left(clone: Callable[..., Path], remote: Path) -> None:
    """A remote that cannot lock the branch is quoted, with what to remove."""
    backend = GitFiles(
        replace(
            files(clone("here")).repository, runtime=structs.replace(SYSTEM, pause=lambda _: None)
        )
    )
    version = backend.write("a.json", b"one", expected=None)
    (remote / "refs/heads/live.lock").touch()

    with pytest.raises(BackendUnreachable, match=r"live\.lock.*remove the file"):
        backend.write("a.json", b"two", expected=version)
