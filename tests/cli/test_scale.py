"""Many stacks at once: processes of their own, one project, nothing shared but the provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.cli.cli_harness import GEMINI, LONG, Stage

ROOT = Path(__file__).parents[2]
STACKS, RUNNERS = 20, 8


@pytest.mark.heavy
def test_twenty_stacks_in_eight_processes(stage: Stage) -> None:
    """Stacks applied side by side converge, and none ever touches another's caches."""
    folders = [stage.root / "stacks" / f"bot-{number:02}" for number in range(STACKS)]
    for folder in folders:
        write(folder)

    with ThreadPoolExecutor(RUNNERS) as runners:
        statuses = list(runners.map(apply, folders))

    assert statuses == [0] * STACKS
    live = stage.live()
    for folder in folders:
        owned = {id_ for id_, cache in live.items() if cache["stack"] == folder.name}
        assert len(owned) == 2
        assert recorded(folder) == owned
    result = stage.run("plan", str(stage.root / "stacks" / "*"), "--json").json["stacks"]
    assert [(plan["summary"]["unchanged"], len(plan["edits"])) for plan in result] == [(2, 0)] * 20
    assert stage.count("create") == 2 * STACKS


@pytest.mark.heavy
@pytest.mark.parametrize("stacks", [5, 1])
def test_shares_of_a_job(stage: Stage, stacks: int) -> None:
    """The pods of examples/scale/job.yaml apply every stack once; none to apply is no failure."""
    folders = [stage.root / "stacks" / f"bot {number}" for number in range(stacks)]
    for folder in folders:
        write(folder, stack=folder.name.replace(" ", "-"))
    job = yaml.safe_load((ROOT / "examples" / "scale" / "job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "SHARES", "value": str(job["spec"]["completions"])} in pod["env"]

    for index in range(2):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        share = {"PATH": path, "SHARES": "2", "JOB_COMPLETION_INDEX": str(index)}
        command = [*pod["command"], *pod["args"]]
        subprocess.run(command, check=True, cwd=stage.root, env={**os.environ, **share})

    assert stage.count("create") == 2 * stacks
    assert all(len(recorded(folder)) == 2 for folder in folders)


def test_the_matrix_of_a_workflow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A row of changed --json is what a job needs, also of a stack without environments."""
    write(tmp_path / "bot")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "bot"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True)
    (tmp_path / "bot" / "manual.md").write_text(f"{LONG} again")

    (row,) = stage.run("changed", str(tmp_path), "--base", "HEAD", "--json").json["include"]
    monkeypatch.setenv("CTXPROV_ENV", row["env"])
    monkeypatch.chdir(tmp_path)
    assert row == {"stack": "bot", "env": "", "removed": False}
    assert stage.run("plan", row["stack"], "--base", "HEAD").status == 0


def write(folder: Path, *, stack: str | None = None) -> None:
    """A stack of two caches, whose content every stack has alike."""
    folder.mkdir(parents=True)
    manual, faq = (f"{name}: {{{GEMINI}, content: manual.md}}" for name in ("manual", "faq"))
    head = f"version: 1\nstack: {stack or folder.name}\ncaches:\n"
    (folder / "ctxprov.yaml").write_text(f"{head}  {manual}\n  {faq}\n")
    (folder / "manual.md").write_text(LONG)


def apply(folder: Path) -> int:
    command = [sys.executable, "-m", "provisioner", "apply", str(folder), "--auto-approve"]
    return subprocess.run(command, capture_output=True, check=False).returncode


def recorded(folder: Path) -> set[str]:
    """The ids in the state of a stack."""
    (file,) = (folder / "state").glob("*.json")
    state = json.loads(file.read_text())
    return {cache["id"] for cache in state["caches"].values()}
