"""
What a command imports: most stacks are small, and then starting is most of the time.

Modules are counted, in a process of its own, and no test is timed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from provisioner.cli import group
from tests.cli.cli_harness import GEMINI, LONG, Stage

MOST_OF_A_PLAN = 84
"""Modules of ours."""
GROUPS = ("live", "manifest", "review", "run", "state")
OPTIONS_AND_HELP = {
    "provisioner",
    "provisioner.cli",
    *(f"provisioner.cli.{name}" for name in ("console", "options", "status")),
    *(
        f"provisioner.cli.{name}_commands"
        for name in ("live", "manifest", "review", "run", "state")
    ),
    "provisioner.environment",
    "provisioner.times",
}
NETWORK = {"httpx", "anyio", "asyncio", "ssl"}
STRUCTS = {"yaml", "orjson", "msgspec", "dataclasses", "logging", "subprocess"}
HEAVY = {"rich", "deepdiff", "jsonschema", "starlette"}

REPORT = """
import json, sys
there = set(sys.modules)  # of Python itself, and of coverage where it measures
from provisioner import cli
for words in json.loads(sys.argv[1]):
    cli.run(words)
print(json.dumps(sorted(set(sys.modules) - there)), file=sys.stderr)
"""


def imported(*commands: list[str], folder: Path) -> set[str]:
    """The modules that a program has imported after it ran *commands* in *folder*."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "provisioner"}


def every_command(command: click.Command, path: list[str]) -> Iterator[list[str]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if child := command.get_command(context, name):
                yield from every_command(child, [*path, name])


def test_help_imports_options_alone(tmp_path: Path) -> None:
    """The help of every command imports click and the options, and no work of any command."""
    helps = [[*path, "--help"] for path in every_command(group, [])]
    modules = imported(["--version"], *helps, folder=tmp_path)

    assert len(helps) > 30
    assert ours(modules) - OPTIONS_AND_HELP == set()
    assert (
        packages(modules) & {*NETWORK, *HEAVY, "yaml", "orjson", "msgspec", "dataclasses"} == set()
    )


def test_validate_imports_no_network(tmp_path: Path) -> None:
    """What needs no network imports nothing for it."""
    a_stack(tmp_path)
    modules = imported(["validate", "."], folder=tmp_path)

    assert packages(modules) & {*NETWORK, *HEAVY} == set()


def test_plan_imports_few_modules(stage: Stage) -> None:
    """A plan of an applied stack imports what it uses, and not all there is."""
    a_stack(stage.root)
    assert stage.apply().status == 0
    modules = imported(["plan", "."], folder=stage.root)

    assert "httpx" in modules
    assert packages(modules) & HEAVY == set()
    assert len(ours(modules)) <= MOST_OF_A_PLAN, sorted(ours(modules))


def a_stack(folder: Path) -> None:
    (folder / "ctxprov.yaml").write_text(
        f"version: 1\nstack: demo\npublish: handles.json\ncaches:\n"
        f"  a: {{{GEMINI}, content: a.md}}\n"
    )
    (folder / "a.md").write_text(LONG)
