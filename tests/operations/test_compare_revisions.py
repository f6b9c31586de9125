"""What a branch edits, by git alone: in any kind of checkout, or the reason why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal

import pytest

from provisioner import cli
from tests.cli.cli_harness import GEMINI, LONG
from tests.repository import ALONE, git

ALLOWED = ("-c", "protocol.file.allow=always")
POINTER = (
    f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(LONG.encode()).hexdigest()}\n"
    f"size {len(LONG)}\n"
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one, on a machine where git is not configured."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    monkeypatch.delenv("CI_COMMIT_SHA", raising=False)
    top = tmp_path / "top"
    top.mkdir()
    monkeypatch.chdir(top)
    return top


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (cli.run(arguments), *capsys.readouterr())

    return run


def write(folder: Path, *names: str, stack: str | None = None) -> None:
    """A stack with a cache for each of the files *names*."""
    caches = ""
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(LONG)
        caches += f"  c{at}: {{{GEMINI}, content: {name}}}\n"
    head = f"version: 1\nstack: {stack or folder.name}\ncaches:\n"
    (folder / "ctxprov.yaml").write_text(f"{head}{caches}", encoding="utf-8")


def commit(top: Path) -> None:
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "all")


def edits(run: Run, stack: str, base: str = "main") -> list[str]:
    """What the plan against *base* asks for, a line each."""
    status, out, err = run("plan", stack, "--base", base, "--json")
    assert status == 0, err
    return [
        f"{one['action']} {one['name']}" for one in json.loads(out)["changes"] if one["pending"]
    ]


def test_a_folder_that_is_renamed(top: Path, run: Run) -> None:
    """A stack whose folder is renamed has no edits, and neither folder is listed."""
    write(top / "stacks/bot", "a.md", "b.md")
    commit(top)
    git(top, "mv", "stacks/bot", "stacks/support-bot")

    assert edits(run, "stacks/support-bot") == []
    assert run("changed", "--base", "main") == (0, "", "")

    (top / "stacks/support-bot/a.md").write_text(f"{LONG} edited")
    assert edits(run, "stacks/support-bot") == ["replace c0"]
    assert run("changed", "--base", "main")[1] == "stacks/support-bot\n"


def test_a_folder_that_is_copied(top: Path, run: Run) -> None:
    """A stack is compared with its own folder; what is not declared any more is listed."""
    write(top / "one", "a.md", stack="bot")
    write(top / "two", "a.md", "b.md", stack="bot")
    write(top / "gone", "a.md")
    commit(top)
    git(top, "rm", "-r", "--quiet", "one", "gone")

    assert edits(run, "two") == []
    assert run("changed", "--base", "main")[1] == "gone\none\n"


def test_folders_that_change_places(top: Path, run: Run) -> None:
    """Two stacks that swap folders have no edits: each is compared with its own name."""
    write(top / "one", "a.md")
    write(top / "two", "a.md", "b.md")
    commit(top)
    for old, new in (("one", "x"), ("two", "one"), ("x", "two")):
        git(top, "mv", old, new)

    assert edits(run, "one") == edits(run, "two") == []
    assert run("changed", "--base", "main")[1] == ""


def test_content_within_a_submodule(top: Path, tmp_path: Path, run: Run) -> None:
    """Content of a submodule is compared at its recorded commit; if absent, it is named."""
    prompts = tmp_path / "prompts"
    write(prompts, "acme.md")
    commit(prompts)
    commit_with_submodule(top, prompts)
    write(top, "a.md", "prompts/acme.md", stack="bot")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "stack")

    assert edits(run, ".") == []
    (top / "prompts" / "acme.md").write_text(f"{LONG} edited")
    assert edits(run, ".") == ["replace c1"]

    git(top, "submodule", "--quiet", "deinit", "--force", "prompts")
    for command in (("validate", "."), ("plan", ".", "--base", "main")):
        status, _, err = run(*command)
        assert status == 1
        assert "not checked out: run git submodule update --init prompts" in err


def commit_with_submodule(top: Path, source: Path) -> None:
    (top / "README").touch()
    commit(top)
    git(top, *ALLOWED, "submodule", "--quiet", "add", str(source), source.name)
    git(top, "commit", "--quiet", "--message", "a submodule")


def test_a_pattern_over_a_submodule(top: Path, tmp_path: Path, run: Run) -> None:
    """A pattern that may name files of an absent submodule is an error, not a removal."""
    prompts = tmp_path / "prompts"
    write(prompts, "acme.md")
    commit(prompts)
    commit_with_submodule(top, prompts)
    write(top / "own", "own.md")
    each = f"  '{{each}}': {{{GEMINI}, each: '*/*.md', content: own/own.md}}\n"
    (top / "ctxprov.yaml").write_text(f"version: 1\nstack: bot\ncaches:\n{each}")
    assert run("validate", ".")[1] == "ctxprov.yaml: 2 caches, no problems.\n"

    git(top, "submodule", "--quiet", "deinit", "--force", "prompts")
    status, _, err = run("validate", ".")

    assert status == 1
    assert "may name 'prompts', which lies in the submodule prompts" in err


def test_a_stack_within_a_submodule(top: Path, tmp_path: Path, run: Run) -> None:
    """From above, a stack of a submodule is compared with what the base records of that."""
    bots = tmp_path / "bots"
    write(bots / "acme", "a.md")
    commit(bots)
    commit_with_submodule(top, bots)
    assert run("changed", "--base", "main") == (0, "", "")
    git(top, "checkout", "--quiet", "-b", "branch")
    (top / "bots/acme/a.md").write_text(f"{LONG} edited")
    git(top / "bots", "commit", "--quiet", "--all", "--message", "an edit")
    git(top, "commit", "--quiet", "--all", "--message", "a newer submodule")

    assert run("changed", "--base", "main")[1] == "bots/acme\n"
    assert edits(run, "bots/acme") == ["replace c0"]

    git(top, "submodule", "--quiet", "deinit", "--force", "bots")
    status, out, err = run("changed", "--base", "main")
    assert (status, out) == (0, "")
    assert "run git submodule update --init bots" in err


def test_within_a_submodule(
    top: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside of a submodule the refs are its own."""
    bots = tmp_path / "bots"
    write(bots / "acme", "a.md")
    commit(bots)
    commit_with_submodule(top, bots)
    (top / "bots/acme/a.md").write_text(f"{LONG} edited")
    git(top / "bots", "commit", "--quiet", "--all", "--message", "an edit")
    monkeypatch.chdir(top / "bots")

    assert edits(run, "acme", base="origin/main") == ["replace c0"]
    assert edits(run, "acme", base="main") == []


def test_a_foreign_owner(top: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a checkout of another owner quotes git and names the remedy."""
    write(top / "bot", "a.md")
    commit(top)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    for command in (("plan", "bot", "--base", "main"), ("changed", "--base", "main")):
        status, _, err = run(*command)
        assert status == 1
        assert f"git config --global --add safe.directory {top}" in err


def test_what_git_warns_of(top: Path, run: Run) -> None:
    """What git warns of is shown, and the comparison goes on."""
    write(top / "bot", "a.md")
    commit(top)
    git(top, "branch", "v1")
    git(top, "tag", "v1")

    status, _, err = run("plan", "bot", "--base", "v1")

    assert status == 0
    assert "warning: git: refname 'v1' is ambiguous" in err


def test_a_sparse_checkout(top: Path, run: Run) -> None:
    """What a sparse checkout leaves out is named with the remedy, and removes no cache."""
    write(top / "bot", "a.md", "here/b.md", "there/c.md")
    each = f"  '{{each}}': {{{GEMINI}, each: 'each/*/', content: '{{each}}/d.md'}}\n"
    (top / "bot/more.ctxprov.yaml").write_text(f"version: 1\ncaches:\n{each}")
    for name in ("one", "two"):
        (top / f"bot/each/{name}").mkdir(parents=True)
        (top / f"bot/each/{name}/d.md").write_text(LONG)
    commit(top)
    git(top, "sparse-checkout", "set", "--no-cone", "/bot/*", "!/bot/there", "!/bot/each/two")

    status, _, err = run("validate", "bot")
    assert status == 1
    assert "is left out by the sparse checkout: run git sparse-checkout add bot/there" in err
    assert "may name 'each/two/d.md', which is left out by the sparse checkout" in err
    assert "2 problems" in err

    git(top, "sparse-checkout", "set", "--no-cone", "/bot/*", "!/bot/more.ctxprov.yaml")
    for command in (("validate", "bot"), ("plan", "bot", "--base", "main")):
        status, _, err = run(*command)
        assert status == 1
        assert "bot/more.ctxprov.yaml:1:1: is left out by the sparse checkout" in err


def test_a_stack_that_is_left_out(top: Path, run: Run) -> None:
    """A stack that a sparse checkout leaves out is listed if its commits differ, and only then."""
    write(top / "bot", "a.md")
    write(top / "other", "a.md")
    commit(top)
    git(top, "checkout", "--quiet", "-b", "branch")
    git(top, "sparse-checkout", "set", "--cone", "other")
    assert run("changed", "--base", "main")[:2] == (0, "")

    git(top, "sparse-checkout", "disable")
    (top / "bot/a.md").write_text(f"{LONG} edited")
    git(top, "commit", "--quiet", "--all", "--message", "an edit")
    git(top, "sparse-checkout", "set", "--cone", "other")
    assert run("changed", "--base", "main")[:2] == (0, "bot\n")
    rows = json.loads(run("changed", "--base", "main", "--json")[1])["include"]
    assert rows == [{"stack": "bot", "env": "", "removed": False}]


def test_pointers_of_lfs(top: Path, run: Run) -> None:
    """A pointer is an error in every place of a manifest; in the base it is the file itself."""
    write(top / "bot", "a.md")
    (top / "bot/a.md").write_text(POINTER)
    commit(top)
    for name in ("tools.json", "b.pdf", "system.md"):
        (top / "bot" / name).write_text(POINTER)
    (top / "bot/ctxprov.yaml").write_text(
        f"version: 1\nstack: bot\ncaches:\n  c0: {{{GEMINI}, content: [a.md, b.pdf], "
        "tools: tools.json, system_instruction: system.md}\n"
    )

    status, _, err = run("validate", "bot")
    assert status == 1
    for name in ("a.md", "b.pdf", "tools.json", "system.md"):
        assert f"'{name}' is a git LFS pointer, not the file itself: run git lfs pull" in err

    write(top / "bot", "a.md")
    assert edits(run, "bot") == []
    (top / "bot/a.md").write_text(f"{LONG} edited")
    status, _, err = run("plan", "bot", "--base", "main")
    assert status == 1
    assert "'a.md' is a git LFS pointer, not the file itself: run git lfs fetch origin" in err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"/annex/objects/SHA256E-s9--0a.pdf\n", "is a git-annex pointer"),
        (b"\0GITCRYPT\0" + bytes(range(256)) * 90, "is encrypted by git-crypt"),
        (b"The pointer is /annex/objects/SHA256E-s9--0a.pdf\n", None),
    ],
)
def test_what_other_tools_lock(top: Path, run: Run, content: bytes, reason: str | None) -> None:
    """What git-annex and git-crypt leave in place of a file of any type is no content."""
    for name in ("a.md", "b.pdf"):
        write(top / "bot", name)
        (top / "bot" / name).write_bytes(content)

        status, _, err = run("validate", "bot")

        assert (f"'{name}' {reason}" in err) is (reason is not None)
        assert status == (0 if reason is None else 1)


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_unicode_forms(
    top: Path, run: Run, written: Literal["NFC", "NFD"], stored: Literal["NFC", "NFD"]
) -> None:
    """A path matches a file whose name is of the other Unicode form, here and in the base."""
    name = "möbel/prüfung.md"
    write(top / "bot", unicodedata.normalize(stored, name))
    text = (top / "bot/ctxprov.yaml").read_text()
    (top / "bot/ctxprov.yaml").write_text(unicodedata.normalize(written, text))
    commit(top)

    assert run("validate", "bot")[0] == 0
    assert edits(run, "bot") == []


@pytest.mark.heavy
def test_names_in_any_locale(top: Path) -> None:
    """File names are UTF-8 in every locale; bytes that are not stop nothing."""
    write(top / "bot", "prüfung.md")
    (top / os.fsdecode(b"caf\xe9.txt")).touch()
    commit(top)
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    for arguments in (["plan", "bot", "--base", "main"], ["changed", "--base", "main"]):
        done = subprocess.run(
            [sys.executable, "-m", "provisioner", *arguments],
            env={**os.environ, **bare},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
