"""The rules by which the house is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.house import House, Walk, trace, traced

ONE = '''\
"""
A docstring of two
lines.
"""

from a import (
    b,
)
import httpx  # an import line, for all its comment

# a comment


class Row:
    """A row."""

    field: int
    """The text below a field is a docstring, too."""


def make(words: str) -> None:
    text = """
    a text that is used is code
    """
    # a comment
    httpx.Client(text)
    for each in words:
        try:
            time.sleep(each)
        except ValueError:
            pass
'''
TWO = """\
import tenacity
T = TypeVar("T")
Alias: TypeAlias = int
class _Row: pass
def short(): columns(1)
"""


DECIDES_NOTHING = {
    "cli/live_commands.py": "options and help; each command's work is in a module of its own",
    "cli/manifest_commands.py": "options and help, likewise",
    "cli/review_commands.py": "options and help, likewise",
    "cli/state_commands.py": "options and help, likewise",
    "model/facts.py": "structs without a method; state/draft.py makes a state of them",
    "view/forecast.py": "structs; operations/forecast.py makes them",
}
"""Modules that need no test file of their name, and why."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A package of three modules and an emulator, and one test."""
    for name, text in {
        "provisioner/one.py": ONE,
        "provisioner/cli/two.py": TWO,
        "provisioner/cli/__init__.py": "T = TypeVar('T')\n",
        "provisioner/emulator/twin.py": "class Row: pass\nimport subprocess\n",
        "tests/cli/test_two.py": "",
        "README.md": "Nobody told anybody.\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return House.at(tmp_path)


def test_lines(house: House) -> None:
    """Every line is blank, a comment, of an import, of a docstring, or code."""
    (one,) = (source for source in house.sources if source.path.name == "one.py")

    assert len(one.lines) == ONE.count("\n")
    assert len(one.imports) == 4
    assert len(one.docstrings) == 6
    assert one.code == 12


def test_rows(house: House) -> None:
    """The table counts modules, functions, types and words; the emulator's own count apart."""
    rows = dict(house.rows())

    assert rows["files (in `cli/`)"] == "4 (2)"
    assert rows["functions: median, 90th percentile"] == "6, 11 lines"
    assert rows["longest function"] == "11 lines, one.py: make"
    assert rows["type names in two or more modules"] == "2: Row, T"
    assert rows["modules without a test file of their name"] == "1"
    assert rows["modules that make an HTTP client"] == "1: one.py"
    assert rows["modules that retry"] == "2: cli/two.py, one.py"
    assert rows["modules that start processes"] == "0"
    assert rows["modules that fit columns"] == "1: cli/two.py"
    assert rows["words that the language rule forbids"] == "2"


def test_every_module_that_decides() -> None:
    """Beside every module that decides anything stands a test file of its name."""
    here = House.at(Path(trace.__code__.co_filename).parents[1])

    assert here.untested() == sorted(DECIDES_NOTHING)


def test_steps() -> None:
    """Calls in a row within one module are one step, and a room that is met again is a return."""
    walk = Walk("/", dict.fromkeys([("a", "f"), ("a", "g"), ("b", "f"), ("a", "h"), ("c", "f")]))

    assert walk.rooms() == ["a", "b", "a", "c"]


@pytest.mark.heavy
def test_walk() -> None:
    """One plan of this checkout is followed from `main` to the planner."""
    rows = dict(traced(Path(trace.__code__.co_filename).parents[1]))

    assert all(int(value) > 0 for value in rows.values())
