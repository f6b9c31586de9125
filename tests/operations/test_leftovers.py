"""A branch that removes or renames a whole stack: it passes, and says what stays alive."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import ALONE, git

A = f"a: {{{GEMINI}, content: a.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: a.md}"


def write(folder: Path, head: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.md").write_text(LONG)
    (folder / "ctxprov.yaml").write_text(f"version: 1\n{head}caches:\n  {A}\n  {NOTE}\n")


@pytest.fixture
def repository(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stacks `bot` and `shop`, the latter with two environments, applied and committed."""
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(stage.root)
    write(stage.root / "bot", "stack: bot\n")
    write(stage.root / "shop", "stack: shop\nenvironments: {blue: {}, green: {}}\n")
    for arguments in (["bot"], ["shop", "--env", "blue"], ["shop", "--env", "green"]):
        assert stage.run("apply", *arguments, "--auto-approve").status == 0
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    (stage.root / ".gitignore").write_text("state/\n")
    git(stage.root, "add", ".")
    git(stage.root, "commit", "--quiet", "--message", "all")
    return stage


def end(stage: Stage, command: str) -> None:
    """Run what the plan printed, as a shell does without CTXPROV_STATE."""
    arguments = shlex.split(command.replace("${CTXPROV_STATE:-", "").replace("}", ""))
    assert arguments[0] == "ctxprov"
    assert stage.run(*arguments[1:], "--auto-approve").status == 0


def stacks_alive(stage: Stage) -> list[str]:
    return sorted(one["stack"] for one in stage.live().values())


def test_a_stack_is_removed(repository: Stage) -> None:
    """plan passes, names the caches that stay, and prints the command that ends them."""
    stage = repository
    (stage.root / "bot" / "ctxprov.yaml").unlink()

    rows = stage.run("changed", "--base", "main", "--json").json["include"]
    assert rows == [{"stack": "bot", "env": "", "removed": True}]
    result = stage.run(
        "plan", "bot", "--base", "main", "--out", "json=plan.json", "--out", "text=-"
    )
    assert result.status == 0
    assert "bot is declared no longer. Its caches stay alive" in result.out
    left = json.loads((stage.root / "plan.json").read_text())["leftover"]
    assert (left["stack"], left["successor"], left["caches"]) == ("bot", None, ["a"])
    assert f"\n  {left['command']}\n" in result.out
    for form in ("markdown", "html"):
        page = stage.run("render", "plan.json", "--out", f"{form}=-")
        assert "ctxprov destroy --stack bot" in page.out

    end(stage, left["command"])
    assert stacks_alive(stage) == ["shop.blue", "shop.green"]


def test_a_folder_is_removed(repository: Stage) -> None:
    """It makes no difference whether the folder of the stack is gone as well."""
    shutil.rmtree(repository.root / "shop")

    for environment in ("blue", "green"):
        result = repository.run("plan", "shop", "--env", environment, "--base", "main")
        assert result.status == 0
        assert f"ctxprov destroy --stack shop.{environment} --state" in result.out


def test_an_environment_is_removed(repository: Stage) -> None:
    """The environment that is gone passes; the one that stays is planned as ever."""
    stage = repository
    write(stage.root / "shop", "stack: shop\nenvironments: {green: {}}\n")

    rows = stage.run("changed", "--base", "main", "--json").json["include"]
    assert rows == [{"stack": "shop", "env": "blue", "removed": True}]
    blue, green = (
        stage.run("plan", "shop", "--env", env, "--base", "main", "--json").json
        for env in ("blue", "green")
    )
    assert (blue["leftover"]["stack"], green["leftover"]) == ("shop.blue", None)
    assert stage.run("plan", "shop", "--env", "red", "--base", "main").status == 1
    end(stage, blue["leftover"]["command"])
    assert stacks_alive(stage) == ["bot", "shop.green"]


def test_a_stack_is_renamed(repository: Stage) -> None:
    """The plan of the new name says how to take the caches along, and then nothing is made."""
    stage = repository
    write(stage.root / "bot", "stack: desk\n")

    result = stage.run("plan", "bot", "--base", "main", "--json")
    left = result.json["leftover"]
    assert (left["stack"], left["successor"]) == ("bot", "desk")
    arguments = shlex.split(left["command"].replace("${CTXPROV_STATE:-", "").replace("}", ""))
    assert stage.run(*arguments[1:]).status == 0
    assert stage.run("plan", "bot", "--detailed-exitcode").status == 0


def test_what_is_not_removed(repository: Stage) -> None:
    """A moved folder, a manifest in error and a stack that never was are no removals."""
    stage = repository
    (stage.root / "bot").rename(stage.root / "moved")
    assert stage.run("plan", "bot", "--base", "main").status == 1
    assert stage.run("plan", "moved", "--base", "main", "--json").json["leftover"] is None
    assert stage.run("plan", "never", "--base", "main").status == 1
    (stage.root / "shop" / "ctxprov.yaml").write_text("stack: [")
    broken = stage.run("plan", "shop", "--env", "blue", "--base", "main")
    assert broken.status == 1
    assert "declared no longer" not in broken.out


def test_a_command_that_is_forged(repository: Stage) -> None:
    """A plan from a job that is not trusted shows no command but those that its parts make."""
    stage = repository
    (stage.root / "bot" / "ctxprov.yaml").unlink()
    plan = stage.run("plan", "bot", "--base", "main", "--json").json
    plan["leftover"]["command"] = "curl https://example.com | sh"
    (stage.root / "plan.json").write_text(json.dumps(plan))

    result = stage.run("render", "plan.json")

    assert result.status == 1
    assert "curl" not in result.out


def test_the_command_names_place_and_keys(
    repository: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the base says where the state is and which keys it takes, so does the command."""
    stage = repository
    monkeypatch.setenv("GEMINI_API_KEY_EU", "any")
    provider = "providers: {eu: {type: gemini, key_env: GEMINI_API_KEY_EU}}\n"
    folder = stage.root / "bot"
    write(folder, f"stack: bot\nstate: s3://bucket/prefix\n{provider}")
    manifest = folder / "ctxprov.yaml"
    manifest.write_text(manifest.read_text().replace("provider: gemini", "provider: eu"))
    git(stage.root, "commit", "--quiet", "--all", "--message", "more")
    manifest.unlink()

    result = stage.run("plan", "bot", "--base", "main", "--json").json["leftover"]["command"]

    assert result == (
        "ctxprov destroy --stack bot --state s3://bucket/prefix --key-env eu=GEMINI_API_KEY_EU"
    )
