"""Stages for the tests of the command line: empty, with stacks on it, or in a CI job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.forge import Forge, GitHub, GitLab
from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage, staged
from tests.cli.review_job import job_on

A = f"a: {{{GEMINI}, content: a.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"
OPEN = "o: {provider: openai, model: gpt-6.1-terra, content: o.md}"


@pytest.fixture
def stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    with staged(tmp_path, capsys, monkeypatch) as raised:
        yield raised


@pytest.fixture
def address(stage: Stage) -> str:
    """Three stacks in one project, of which `two` has lost its state; the others' address."""
    for stack in ("one", "two", "three"):
        folder = stage.root / stack
        folder.mkdir()
        (folder / "a.md").write_text(LONG)
        (folder / "ctxprov.yaml").write_text(
            f"version: 1\nstack: {stack}\nstate: ../state\ncaches:\n  {A}\n"
        )
    arguments = [str(stage.root / stack) for stack in ("one", "two", "three")]
    assert (
        stage.run(
            "apply", *arguments, "--auto-approve", "--state", str(stage.root / "state")
        ).status
        == 0
    )
    (stage.root / "state" / "two.json").unlink()
    return str(stage.root / "state")


@pytest.fixture
def fileless(stage: Stage) -> Stage:
    """A stack whose caches live, while the files of its `each` are gone."""
    stage.write(
        f"'m-{{each}}': {{{GEMINI}, each: 'texts/*', content: 'texts/{{each}}.md'}}",
        head=f"{HEAD}moved: [{{from: m-old, to: m-one}}]\n",
    )
    (stage.root / "texts").mkdir()
    for name in ("one", "two"):
        (stage.root / "texts" / f"{name}.md").write_text(LONG + name)
    assert stage.apply().status == 0
    for name in ("one", "two"):
        (stage.root / "texts" / f"{name}.md").unlink()
    return stage


@pytest.fixture
def applied(stage: Stage) -> Stage:
    """A stack that is applied, with an entry of each provider."""
    stage.write(A, NOTE, OPEN, a=LONG, n=LONG, o=LONG)
    assert stage.apply().status == 0
    return stage


@pytest.fixture(params=[GitHub, GitLab])
def forge(
    request: pytest.FixtureRequest, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Forge]:
    """Each promise about comments holds for both forges."""
    yield from job_on(request.param(), stage, monkeypatch)


@pytest.fixture
def hub(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    yield from job_on(GitHub(), stage, monkeypatch)


@pytest.fixture
def lab(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    yield from job_on(GitLab(), stage, monkeypatch)
