"""
A checkout whose files form a git repository: what its configuration names is never run.

Each attack touches a canary of its own.  That plain git, started in that folder, does run it is
shown first, so that an attack that lost its point fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner import cli
from tests.cli.cli_harness import GEMINI, LONG
from tests.repository import ALONE, git

GIT: dict[str, tuple[str, ...]] = {
    "fsmonitor": ("status",),
    "hook": ("read-tree", "HEAD"),
    "filter": ("checkout-index", "--force", "--all"),
    "ext": ("cat-file", "-p", "0123456789" * 4),
    "ssh": ("ls-remote", "origin"),
    "uploadpack": ("ls-remote", "local"),
    "alias": ("sly",),
    "textconv": ("-c", "diff.x.cachetextconv=false", "log", "-1", "-p"),
}
"""For each attack the command of plain git that runs it."""


def config(canary: Callable[[str], str], folder: Path) -> str:
    """A configuration that names a program wherever git takes one."""
    return f"""
[core]
    repositoryformatversion = 1
    bare = false
    worktree = .
    fsmonitor = {canary("fsmonitor")}
    hooksPath = {folder}/evil
    sshCommand = {canary("ssh")}
    pager = {canary("pager")}
    editor = {canary("editor")}
    askPass = {canary("askpass")}
[extensions]
    partialClone = ext
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[remote "ext"]
    url = "ext::sh -c touch% {folder.parent}/canary-ext"
    promisor = true
[remote "origin"]
    url = ssh://nowhere.invalid/x
[remote "local"]
    url = {folder}
    uploadpack = {canary("uploadpack")}
[alias]
    sly = !{canary("alias")}
    rev-parse = !{canary("alias")}
[credential]
    helper = !{canary("credential")}
[filter "x"]
    smudge = {canary("filter")}
    clean = {canary("filter")}
    required = true
[diff "x"]
    textconv = {canary("textconv")}
    command = {canary("diff")}
[include]
    path = included
"""


class Attack:
    """A repository whose stack `bot` is at the same time a repository of another kind."""

    def __init__(self, top: Path) -> None:
        self.top, self.bot = top, top / "bot"
        self.bot.mkdir(parents=True)
        (self.bot / "ctxprov.yaml").write_text(
            f"version: 1\nstack: bot\ncaches:\n  a: {{{GEMINI}, content: a.md}}\n"
        )
        (self.bot / "a.md").write_text(LONG)
        (self.bot / ".gitattributes").write_text("*.md filter=x diff=x\n")
        git(self.bot, "init", "--quiet", "--initial-branch=main")
        git(self.bot, "add", ".")
        git(self.bot, "commit", "--quiet", "--message", "inner")
        shutil.copytree(self.bot / ".git", self.bot, dirs_exist_ok=True)
        shutil.rmtree(self.bot / ".git")
        hook = self.bot / "evil" / "post-index-change"
        hook.parent.mkdir()
        hook.write_text(f"#!/bin/sh\n{self.canary('hook')}\n")
        hook.chmod(0o755)

    def commit(self) -> None:
        """Commit everything on the branch `main` of the repository around the stack."""
        git(self.top, "init", "--quiet", "--initial-branch=main")
        git(self.top, "add", ".")
        git(self.top, "commit", "--quiet", "--message", "outer")

    def canary(self, name: str) -> str:
        return f"touch {self.top}/canary-{name}; false"

    def ran(self) -> set[str]:
        """What has run since, forgotten with this."""
        found = list(self.top.glob("canary-*"))
        for one in found:
            one.unlink()
        return {one.name.removeprefix("canary-") for one in found}


@pytest.fixture
def attack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attack:
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    attack = Attack(tmp_path / "top")
    monkeypatch.chdir(attack.top)
    return attack


def test_a_bare_repository_among_the_files(
    attack: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    """No hook of a bare repository in a stack's folder runs, against any base."""
    (attack.bot / "config").write_text(config(attack.canary, attack.bot))
    attack.commit()
    for name, arguments in GIT.items():
        command = ["git", "-C", str(attack.bot), *arguments]
        subprocess.run(command, capture_output=True, check=False, env={**os.environ, **ALONE})
        assert name in attack.ran(), name
    (attack.bot / "a.md").write_text(f"{LONG} edited")

    assert cli.run(["plan", "bot", "--base", "main", "--json"]) == 0
    assert cli.run(["plan", "bot", "--base", "main", "-v"]) == 0
    assert cli.run(["changed", "--base", "main"]) == 0
    assert cli.run(["changed", "bot", "--base", "main"]) == 0
    for command in (["plan"], ["apply", "--auto-approve"], ["keepalive"], ["drift"]):
        assert cli.run([*command, "bot", "--state", "git+branch:live"]) != 0
    capsys.readouterr()
    assert cli.run(["validate", "bot"]) == 1

    assert "bot:1:1: is a bare git repository" in capsys.readouterr().err
    assert attack.ran() == set()


def test_a_bare_repository_outside_of_a_repository(
    attack: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a repository around it git is not started at all."""
    (attack.bot / "config").write_text(config(attack.canary, attack.bot))

    assert cli.run(["plan", "bot", "--base", "main"]) == 1
    assert cli.run(["plan", "bot", "--state", "git+branch:live"]) == 1

    assert "is not in a git repository" in capsys.readouterr().err
    assert attack.ran() == set()


def test_the_repository_itself(attack: Attack) -> None:
    """Of a checkout's own configuration nothing runs either, but what authenticates."""
    for name in ("HEAD", "objects", "refs"):
        path = attack.bot / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    attack.commit()
    own = config(attack.canary, attack.bot)
    harmless = own.replace("    worktree = .\n", "").replace("sshCommand", "notSshCommand")
    (attack.top / ".git" / "config").write_text(
        harmless.replace('"origin"', '"ssh"').replace('"local"', '"origin"')
    )
    (attack.bot / "a.md").write_text(f"{LONG} edited")

    assert cli.run(["plan", "bot", "--base", "main", "--json"]) == 0
    assert cli.run(["changed", "--base", "main"]) == 0
    cli.run(["plan", "bot", "--state", "git+branch:live"])

    assert attack.ran() == set()


@pytest.mark.parametrize("names", [("HEAD", "objects/x", "refs/x"), ("head", "commondir")])
def test_what_is_a_bare_repository(
    attack: Attack, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is refused however deep it is, and also if its objects are elsewhere."""
    for name in ("HEAD", "objects", "refs"):
        path = attack.bot / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert cli.run(["validate", "bot"]) == 0
    deep = attack.bot / "content" / ".deep"
    for name in names:
        (deep / name).parent.mkdir(parents=True, exist_ok=True)
        (deep / name).touch()
    (attack.bot / "content" / "clone" / ".git" / "objects").mkdir(parents=True)

    assert cli.run(["validate", "bot"]) == 1

    err = capsys.readouterr().err
    assert "bot/content/.deep:1:1: is a bare git repository" in err
    assert err.endswith("1 problem; nothing was changed.\n")


def test_a_bare_repository_around_the_stack(
    attack: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder between the stack and the top is refused as well: git passes it on its way up."""
    inner = attack.bot / "inner"
    inner.mkdir()
    for name in ("ctxprov.yaml", "a.md"):
        (attack.bot / name).rename(inner / name)
    assert cli.run(["validate", "bot/inner"]) == 0  # no checkout of which it would be a part
    attack.commit()

    assert cli.run(["validate", "bot/inner"]) == 1

    assert f"{attack.bot}:1:1: is a bare git repository" in capsys.readouterr().err
