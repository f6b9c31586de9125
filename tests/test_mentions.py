"""
What documents and examples ask people to type exists.

Every command line of ctxprov in a page's code, in a workflow or in a hook is one that the
parser knows: its command, its options, and how many words each takes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from provisioner import cli

ROOT = Path(__file__).parents[1]
MADE = ROOT / "docs" / "commands.md"
"""Made of the commands themselves."""


def files(*patterns: str) -> list[Path]:
    found = {path for pattern in patterns for path in ROOT.glob(pattern)} - {MADE}
    return sorted(path.relative_to(ROOT) for path in found)


PAGES = files("README.md", "docs/*.md", "state/*.md", "benchmarks/*.md", "examples/**/*.md")
PIECES = files("action.yml", "examples/ci/**/*.yml", "examples/scale/*.y*ml")

BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
LINE = re.compile(r"\bctxprov\"? ([a-z-][^\n`|&;)#]*)")


def lines_of_page(text: str) -> Iterator[str]:
    for code in (*BLOCK.findall(text), *SPAN.findall(BLOCK.sub("", text))):
        yield from LINE.findall(code)


def lines_of_piece(text: str) -> Iterator[str]:
    yield from lines_of_page(re.sub(r"\n *# ", " ", text))  # its comments
    yield from lines_of_value(yaml.safe_load(text))


def lines_of_value(value: Any) -> Iterator[str]:  # noqa: ANN401  # YAML
    match value:
        case {"uses": str(uses), "with": {"command": str(command), **inputs}}:
            assert "ctxprov@" in uses
            yield re.sub(r"[$]\{\{.*?\}\}", "X", f"{command} {inputs.get('args', '')}")
        case dict():
            for below in value.values():
                yield from lines_of_value(below)
        case list():
            for below in value:
                yield from lines_of_value(below)
        case str():
            yield from LINE.findall(value)
        case _:
            pass


def check(line: str) -> None:
    """The parser knows *line*, as far as it is there: a page may leave out an argument."""
    words = [word.strip("[]") for word in shlex.split(line)]
    command: click.Command = cli.group
    context = click.Context(command, info_name="ctxprov")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        below = command.get_command(context, name)
        assert below, f"no command {name}: ctxprov {line}"
        command, context = below, click.Context(below, parent=context, info_name=name)
    _, extra, _ = command.make_parser(context).parse_args(words)
    assert not extra, f"ctxprov {line}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page(page: Path) -> None:
    """Every command line in a page's code is one."""
    for line in lines_of_page((ROOT / page).read_text()):
        check(line)


@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_a_piece(piece: Path) -> None:
    """Every command line in an example for CI is one, and there are some."""
    lines = list(lines_of_piece((ROOT / piece).read_text()))
    assert lines
    for line in lines:
        check(line)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_options(page: Path) -> None:
    """Every option that a page names by itself is an option of some command."""
    spans = SPAN.findall(BLOCK.sub("", (ROOT / page).read_text()))
    named = {re.split(r"[ =]", span)[0] for span in spans if span.startswith("--")}

    assert named <= set(options(cli.group))


def options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for parameter in command.get_params(context):
        yield from parameter.opts
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            yield from options(below)


def test_the_hook() -> None:
    """The hook for pre-commit is a command that takes the files which it asks for."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    wanted = re.compile(hook["files"])
    taken = ["ctxprov.yaml", "stacks/bot/faq.ctxprov.yaml"]

    assert [
        name for name in [*taken, "bot/notctxprov.yaml", "a.yaml"] if wanted.search(name)
    ] == taken
    program, *words = shlex.split(hook["entry"])
    assert program == "ctxprov"
    check(shlex.join([*words, *taken]))


@pytest.mark.parametrize(
    "line",
    [
        "plan --no-such-option",
        "no-such-command",
        "state no-such-verb",
        "approved a b",
        "apply --env",
    ],
)
def test_what_is_not_one(line: str) -> None:
    """A line that the parser does not know is found."""
    with pytest.raises((AssertionError, click.UsageError)):
        check(line)


def test_inputs_of_the_action() -> None:
    """The workflows give the action inputs that it has, and read outputs that it has."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    given, read = set(), set()
    for piece in PIECES:
        text = (ROOT / piece).read_text()
        read |= set(re.findall(r"steps\.(?:plan|drift)\.outputs\.([\w-]+)", text))
        for job in (yaml.safe_load(text).get("jobs") or {}).values():
            for step in job.get("steps", ()):
                if "/ctxprov@" in step.get("uses", ""):
                    given |= set(step["with"])

    assert given <= set(action["inputs"])
    assert read <= set(action["outputs"])
    assert given
    assert read
