"""Many stacks at once: processes of their own, one project, nothing shared but the provider."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cli.stage import GEMINI, LONG, Stage

STACKS, RUNNERS = 20, 8


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
    told = stage.run("plan", str(stage.root / "stacks" / "*"), "--json").json["stacks"]
    assert [(plan["summary"]["unchanged"], len(plan["edits"])) for plan in told] == [(2, 0)] * 20
    assert stage.count("create") == 2 * STACKS


def write(folder: Path) -> None:
    """A stack of two caches, whose content every stack has alike."""
    folder.mkdir(parents=True)
    manual, faq = (f"{name}: {{{GEMINI}, content: manual.md}}" for name in ("manual", "faq"))
    head = f"version: 1\nstack: {folder.name}\ncaches:\n"
    (folder / "ctxprov.yaml").write_text(f"{head}  {manual}\n  {faq}\n")
    (folder / "manual.md").write_text(LONG)


def apply(folder: Path) -> int:
    command = [sys.executable, "-m", "provisioner", "apply", str(folder), "--auto-approve"]
    return subprocess.run(command, capture_output=True, check=False).returncode


def recorded(folder: Path) -> set[str]:
    """The ids in the state of a stack."""
    state = json.loads((folder / "state" / f"{folder.name}.json").read_text())
    return {cache["id"] for cache in state["caches"].values()}
