"""docs/python.md runs as it stands: each line that a reader may type, with what it shows."""

from __future__ import annotations

import ast
import asyncio
import builtins
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, DocTestParser, Example, OutputChecker
from inspect import iscoroutine
from pathlib import Path
from typing import Any

import pytest

from tests.repository import git

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text()
FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the examples, in which a reader begins, without a key."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "CTXPROV_STATE", "CTXPROV_ENV", "CI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def examples() -> Iterator[Example]:
    for block in re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL):
        yield from DocTestParser().get_examples(block)


async def shown(example: Example, names: dict[str, Any]) -> str:
    """What the REPL of asyncio shows for one line: what it prints, its value or its error."""
    output = io.StringIO()
    code = compile(example.source, "docs/python.md", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(output):
        try:
            value = eval(code, names)  # noqa: S307  # our own page
            if iscoroutine(value):
                await value
        except (TypeError, ValueError) as error:
            print("Traceback (most recent call last):")  # noqa: T201  # as the REPL does
            print(f"{type(error).__name__}: {error}")  # noqa: T201  # likewise
        finally:
            vars(builtins).pop("_", None)
    return output.getvalue()


def test_lines(checkout: Path) -> None:
    """Each line shows what the page says that it shows."""

    async def read() -> None:
        names: dict[str, Any] = {}
        for example in examples():
            got = await shown(example, names)
            same = OutputChecker().check_output(example.want, got, FLAGS)
            assert same, f"{example.source}shows\n{got}, not\n{example.want}"

    assert len([*examples()]) > 30
    asyncio.run(read())
    assert (checkout / "state" / "emulator").is_dir()


@pytest.mark.usefixtures("checkout")
def test_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Each whole program runs."""
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    for program in programs:
        exec(compile(program, "docs/python.md", "exec"), {})  # noqa: S102  # our own page
    assert capsys.readouterr().out == "Applied: 4 done, 0 failed, 0 not attempted.\n"
