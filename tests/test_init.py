"""The package's front door."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import provisioner

FRONT = Path(provisioner.__file__)
STUB = ast.parse(FRONT.with_suffix(".pyi").read_text())


def _in_a_new_program(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout


@pytest.mark.parametrize("name", provisioner.__all__)
def test_every_name_is_there(name: str) -> None:
    """Every public name can be imported, and is what its home calls by that name."""
    found = getattr(provisioner, name)
    home = import_module(provisioner._HOMES[name])  # type: ignore[attr-defined]  # noqa: SLF001 - the stub does not tell

    assert found is getattr(home, name)
    assert name in dir(provisioner)


def test_types_and_names_agree() -> None:
    """The stub beside tells type checkers of exactly the names that there are, and their homes."""
    told = {
        alias.name: node.module
        for node in STUB.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert told == provisioner._HOMES  # type: ignore[attr-defined]  # noqa: SLF001 - the stub does not tell


def test_names_that_are_not_there() -> None:
    """A misspelled name fails like that of any module."""
    with pytest.raises(AttributeError, match="module 'provisioner' has no attribute 'Gemni'"):
        provisioner.Gemni  # type: ignore[attr-defined]  # noqa: B018 - the point


def test_the_front_door_is_cheap() -> None:
    """Importing the package, or one provider, loads nothing that it does not need."""
    heavy = "{'httpx', 'asyncio', 'yaml', 'rich', 'click'} & {*sys.modules}"

    assert _in_a_new_program(f"import sys, provisioner; print({heavy})") == "set()\n"
    needed = "import sys; from provisioner import ClaudeContextCache, OpenAIContextCache"
    assert _in_a_new_program(f"{needed}; print('httpx' in sys.modules)") == "False\n"


def test_everything_at_once() -> None:
    """A star import brings every public name."""
    told = _in_a_new_program("from provisioner import *; print(GeminiContextCache.__name__)")

    assert told == "GeminiContextCache\n"


def test_the_version_is_a_literal() -> None:
    """The version can be read without running anything."""
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', FRONT.read_text(), re.MULTILINE)

    assert found
    assert found[1] == provisioner.__version__
