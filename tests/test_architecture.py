"""docs/architecture.md names what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = re.compile(r"`(\w+)` in `([\w/]+\.py)`")
PATHS = re.compile(r"`([\w/]+(?:\.py|/))`")


def defined(path: Path) -> Iterator[str]:
    """The names that a module defines at its top level, and those that it is a room for."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


@pytest.mark.parametrize(("name", "path"), sorted(set(NAMED.findall(PAGE))))
def test_names(name: str, path: str) -> None:
    """Every function and type on the page is in the module that the page says."""
    assert name in set(defined(ROOT / "provisioner" / path))


@pytest.mark.parametrize("path", sorted(set(PATHS.findall(PAGE))))
def test_paths(path: str) -> None:
    """Every module and room on the page exists."""
    assert (ROOT / "provisioner" / path).exists()


def test_ten_types() -> None:
    """An entry becomes at most ten types between YAML and its published handle."""
    steps = [line for line in PAGE.splitlines() if re.match(r"\| \d+\. ", line)]
    types = {NAMED.findall(step.rsplit("|", 2)[1])[0] for step in steps}

    assert 0 < len(types) == len(steps) <= 10


def test_five_minutes() -> None:
    """The page is read in five minutes."""
    assert len(PAGE.split()) < 5 * 220
