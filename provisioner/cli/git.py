"""
Another revision of the repository, as files; through the git command.

Nothing of the working tree, the index or a configured hook is touched, and a ref is never
taken for an option.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from provisioner.errors import CtxprovError

_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)
_QUIET = tuple(
    word
    for setting in ("core.quotePath=false", f"core.hooksPath={os.devnull}", "core.fsmonitor=false")
    for word in ("-c", setting)
)


class GitFailed(CtxprovError):
    """Git cannot tell; the message says what to do."""


def merge_base(folder: Path, ref: str) -> str:
    """The commit at which this branch left *ref*."""
    found = _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if found is None:
        raise GitFailed(
            f"{ref!r} is no commit here. Fetch it first; in CI check out the whole history "
            "(fetch-depth: 0)."
        )
    base = _git(folder, "merge-base", found.strip(), "HEAD")
    if base is None:
        raise GitFailed(
            f"{ref!r} and HEAD have no common commit here. In CI check out the whole history "
            "(fetch-depth: 0)."
        )
    return base.strip()


def commit_here(folder: Path, environ: Mapping[str, str]) -> str | None:
    """The commit that is checked out around *folder*, or that CI says it is about."""
    try:
        found = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except GitFailed:
        found = None
    said = (found, environ.get("GITHUB_SHA"), environ.get("CI_COMMIT_SHA"))
    return next((one.strip() for one in said if one and _COMMIT.fullmatch(one.strip())), None)


def root_of(folder: Path) -> Path:
    """The top of the working tree."""
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found is None:
        raise GitFailed(f"{folder} is in no git repository, so there is nothing to compare with.")
    return Path(found.rstrip("\n"))


def stacks_at(root: Path, commit: str) -> tuple[PurePosixPath, ...]:
    """Folders that hold a `ctxprov.yaml` in *commit*."""
    names = _git(root, "ls-tree", "-r", "-z", "--name-only", commit) or ""
    return _folders(names)


def stacks_here(root: Path) -> tuple[PurePosixPath, ...]:
    """Folders that hold a `ctxprov.yaml` in the working tree, ignored files left out."""
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or ""
    return tuple(f for f in _folders(names) if (root / f / "ctxprov.yaml").exists())


@contextmanager
def exported(root: Path, commit: str, folder: PurePosixPath) -> Iterator[Path | None]:
    """
    The files of *folder* as a checkout of *commit* has them, for as long as the block lasts.

    Not an archive, which leaves out and fills in what the repository says of archives.
    """
    inside = f"{folder}/" if folder.parts else ""
    names = _run(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", inside or ".")
    if not names:
        yield None
        return
    with TemporaryDirectory(prefix="ctxprov-") as place:
        there = Path(place) / "tree"
        index = {"GIT_INDEX_FILE": f"{place}/index"}
        out = ("checkout-index", "-z", "--stdin", f"--prefix={there}/")
        read = _run(root, "read-tree", commit, environ=index)
        done = None if read is None else _run(root, *out, environ=index, stdin=names)
        if done is None:
            raise GitFailed(f"Git cannot check out {inside or 'the repository'} of {commit[:12]}.")
        yield there / folder


def _folders(names: str) -> tuple[PurePosixPath, ...]:
    paths = (PurePosixPath(name) for name in names.split("\0"))
    return tuple(sorted({path.parent for path in paths if path.name == "ctxprov.yaml"}))


def _git(folder: Path, *words: str) -> str | None:
    out = _run(folder, *words)
    return None if out is None else out.decode(errors="surrogateescape")


def _run(
    folder: Path, *words: str, environ: Mapping[str, str] | None = None, stdin: bytes = b""
) -> bytes | None:
    place = folder if folder.is_dir() else folder.parent
    command = ["git", *_QUIET, "-C", str(place), *words]
    try:
        done = subprocess.run(  # noqa: S603  # no shell
            command,
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, **(environ or {})},
        )
    except FileNotFoundError as error:
        raise GitFailed("This needs the git command, which is not installed.") from error
    return done.stdout if done.returncode == 0 else None
