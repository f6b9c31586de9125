"""
The documents say what the code does.

Generated pages are compared with what makes them, sessions are run, promises are looked up.
With UPDATE_DOCS=1 the pages are written instead.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from provisioner import cli
from provisioner.cli import COMMANDS
from provisioner.emulator import Emulator
from provisioner.files import schema_bytes
from provisioner.render.reference import manifest_page
from tests.emulator.local import served
from tests.repository import git

ROOT = Path(__file__).parents[1]
WIDTH = 96
VARYING = (
    (re.compile(r"cachedContents/[0-9a-f]{40}"), "cachedContents/c0ffee"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-11-22T09:00:00Z"),
    (re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\dZ \(in [^)]*\)"), "17:00Z (in 8h)"),
    (re.compile(r"\b11h 5\dm\b"), "11h 59m"),
    (re.compile(r"\b\d+s ago"), "0s ago"),
)


def settle(page: Path, text: str) -> None:
    """The page is *text*; or becomes it, if that is what was asked for."""
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(text)
    assert page.read_text() == text, f"{page.name} is out of date: run with UPDATE_DOCS=1"


def steady(text: str) -> str:
    for pattern, words in VARYING:
        text = pattern.sub(words, text)
    return text


def test_manifest_page() -> None:
    """docs/manifest.md is what the schema says."""
    settle(ROOT / "docs" / "manifest.md", manifest_page(json.loads(schema_bytes("manifest"))))


def unchanging_prices(path: Path) -> Path:
    """The models that ctxprov ships, each at its first prices for ever."""
    document = json.loads((ROOT / "provisioner" / "models.json").read_bytes())
    for model in document["models"]:
        model["prices"] = [{**period, "valid_to": None} for period in model["prices"][:1]]
    path.write_text(json.dumps(document))
    return path


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli.group)
    for name in COMMANDS:
        command = cli.group.get_command(context, name)
        assert command
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {verb}", below) for verb, below in command.commands.items())


def test_commands_page() -> None:
    """docs/commands.md is the help of every command, behind what holds for all of them."""
    page = ROOT / "docs" / "commands.md"
    blocks = [page.read_text().partition("## init")[0].rstrip() + "\n"]
    for name, command in commands():
        settings: dict[str, Any] = {**cli.group.context_settings, "terminal_width": WIDTH}
        parent = click.Context(cli.group, info_name="ctxprov", **settings)
        context = click.Context(command, parent=parent, info_name=name)
        blocks.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    settle(page, "\n".join(blocks))


def examples() -> Iterator[str]:
    for _, command in commands():
        text = (command.help or "").partition("Examples:")[2]
        yield from (line.strip() for line in text.splitlines() if line.strip())


@pytest.mark.parametrize("line", list(examples()))
def test_examples_in_help_parse(line: str) -> None:
    """Every example in a help text is a command line that the parser takes."""
    words = [w for w in shlex.split(line.partition(" > ")[0]) if not re.match(r"[A-Z_]+=", w)]
    assert words.pop(0) == "ctxprov"
    command: click.Command | None = cli.group
    parent = click.Context(cli.group, **cli.group.context_settings)
    while isinstance(command, click.Group):
        command = command.get_command(parent, words.pop(0))
    assert command
    command.make_context("it", words, parent=parent, resilient_parsing=False)


def test_session_in_readme(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """README's session is what these commands print."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("CTXPROV_MODELS", str(unchanging_prices(tmp_path / "models.json")))
    page = ROOT / "README.md"
    head, mark, rest = page.read_text().partition("<!-- session -->\n```console\n")
    session, fence, tail = rest.partition("```\n")
    assert mark

    told: list[str] = []
    for line in (line for line in session.splitlines() if line.startswith("$ ")):
        words = shlex.split(line.removeprefix("$ "))
        told.append(line)
        if words[0] == "ctxprov":
            cli.run(words[1:])
            told.append(steady(capsys.readouterr().out))
        else:
            subprocess.run(line.removeprefix("$ "), shell=True, check=True)  # noqa: S602  # README's own
            told.append("")
    text = "\n".join(line.rstrip() for line in "\n".join(told).splitlines())
    settle(page, f"{head}{mark}{text}\n{fence}{tail}")


def blocks() -> Iterator[str]:
    text = (ROOT / "docs" / "api.md").read_text()
    yield from re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("block", list(blocks()))
def test_examples_of_the_api_run(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program in docs/api.md runs, against an emulator on loopback."""
    with closing(Emulator(clock=lambda: datetime.now(UTC))) as emulator, served(emulator) as url:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        exec(compile(block, "docs/api.md", "exec"), {})  # noqa: S102  # our own page


def test_promises_have_tests() -> None:
    """Every promise in docs/reliability.md names a test that exists."""
    text = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/api.md",
        "docs/python.md",
        "docs/state.md",
        "examples/README.md",
        "examples/gitops/README.md",
        "examples/scale/README.md",
        "docs/ci.md",
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link leads to a file of the repository."""
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_changelog_knows_the_commands() -> None:
    """Every command is in the changelog."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in text] == []
