"""A stack meets the world that its program gives, and the process's where nothing is given."""

from __future__ import annotations

import os

import pytest

from provisioner import (
    ApplyResult,
    CacheHandle,
    CtxprovError,
    GeminiHandle,
    ManifestError,
    PublishError,
    Stack,
)
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.conftest import A
from tests.repository import ALONE, git
from tests.stack.test_stack import run, yes


def test_no_environment_is_read_where_one_is_given(stage: Stage) -> None:
    """With environ given, nothing of the process's environment counts; without, all does."""
    stage.write(A, a=LONG)
    elsewhere = stage.root / "elsewhere"
    environ = {**os.environ, "CTXPROV_STATE": str(elsewhere)}

    async def apply(stack: Stack) -> ApplyResult:
        return await stack.apply(approve=yes)

    assert run(stage, apply, environ=environ).summary.startswith("Applied: 1 done")
    assert (elsewhere / "demo.json").exists()
    assert not stage.state_file.exists()
    with pytest.raises(CtxprovError, match="GEMINI_API_KEY"):
        run(stage, apply, environ={}, state=str(elsewhere))


def test_no_handles(stage: Stage) -> None:
    """A stack that publishes nothing says what to add to its manifest."""
    stage.write(A, head="version: 1\nstack: demo\n", a=LONG)

    with pytest.raises(PublishError, match="Add publish:"):
        _ = Stack.load(stage.root).handles


def test_handles_of_a_trial(stage: Stage) -> None:
    """With the emulator a stack's handles are those of the trial, and real ones stay untouched."""
    stage.write(A, a=LONG)

    async def use(stack: Stack) -> CacheHandle | None:
        await stack.apply(approve=yes)
        return await stack.handles.aget("a")

    assert isinstance(run(stage, use, emulator=True, environ={}), GeminiHandle)
    assert not (stage.root / "handles.json").exists()


def test_handles_on_a_branch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handles on a branch of git are those of the stack's repository, wherever the program runs."""
    stage.write(
        A, head="version: 1\nstack: demo\npublish: git+branch:handles/handles.json\n", a=LONG
    )
    remote = stage.root.parent / "remote.git"
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    git(stage.root.parent, "init", "--quiet", "--bare", str(remote))
    git(stage.root, "init", "--quiet")
    git(stage.root, "remote", "add", "origin", str(remote))

    async def use(stack: Stack) -> CacheHandle | None:
        await stack.apply(approve=yes)
        return await stack.handles.aget("a")

    assert isinstance(run(stage, use), GeminiHandle)


def test_many_caches(stage: Stage) -> None:
    """A stack of more caches than usual needs a number that allows them."""
    stage.write(*(f"n{number}: {{{GEMINI}, content: a.md}}" for number in range(4)), a=LONG)

    with pytest.raises(ManifestError, match="more caches than the 3"):
        Stack.load(stage.root, max_caches=3)

    async def use(stack: Stack) -> int:
        return len((await stack.plan()).creations)

    assert run(stage, use, max_caches=4) == 4
