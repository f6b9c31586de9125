"""
The language of code, help, errors and documents: active voice, and the trade's words.

A sentence names its actor, and an engineer from outside can search for the word of the trade.
So a few words are forbidden everywhere, and a few more as names, since they say nothing of what
they hold.  Of the tests, the names of functions and the docstrings count: the rest is data, as is
the content that the examples send to a provider.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
COUNTS = ROOT / "benchmarks" / "house.py"
"""It counts the forbidden words that other commits have."""

CODE = ("provisioner", "benchmarks", "examples", ".ci")
TEXTS = (
    *("*.md", "*.yml", "*.toml", "Makefile", "docs/*.md", "benchmarks/*.md", "schemas/*.json"),
    *("examples/**/README.md", "examples/**/*.yaml", "examples/**/*.yml"),
)

FORBIDDEN = re.compile(
    r"(?<![a-z])(?:told|nobody|somebody|whoever|whatever|anew|mend(?:s|ed|ing)?|makes? no sense"
    r"|let(?:s|ting)? go of)(?![a-z])",
    re.IGNORECASE,
)
NAMES = frozenset({"told", "found", "known", "said", "words"})
"""A variable, an argument or a function is called by what it holds or does instead."""
PUBLIC = frozenset(
    {
        ("provisioner/errors.py", "words"),
        ("provisioner/providers/gemini/refusals.py", "words"),
        ("provisioner/providers/gemini/__init__.py", "known"),
        ("provisioner/applier/steps.py", "known"),
        ("provisioner/applier/dry_run.py", "known"),
    }
)
"""Arguments that programs pass by name: `CacheError(words=...)` and `create(known=...)` stay."""


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if path != COUNTS)


def text_files() -> Iterator[Path]:
    files = {path for pattern in TEXTS for path in ROOT.glob(pattern) if path.is_file()}
    yield from sorted(path for path in files if path.suffix != ".py")


def names_and_docstrings(path: Path) -> Iterator[str]:
    """What a test promises: the names of its functions, and every docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    source = path.read_text()
    for node in ast.walk(ast.parse(source)) if FORBIDDEN.search(source) else ():
        if isinstance(node, kinds):
            yield ast.get_docstring(node) or ""
            yield "" if isinstance(node, ast.Module) else node.name


def bound_names(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file gives to a variable, an argument or a function, and its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno
            case _:
                pass


def forbidden_words() -> Iterator[str]:
    """Where each forbidden word stands."""
    for path in (*python_files(*CODE), *text_files()):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in FORBIDDEN.finditer(line):
                yield f"{path.relative_to(ROOT)}:{number}: {match[0]}"
    for path in python_files("tests"):
        for text in names_and_docstrings(path):
            for match in FORBIDDEN.finditer(text):
                yield f"{path.relative_to(ROOT)}: {match[0]} in {text[:60]!r}"


def forbidden_names() -> Iterator[str]:
    """Where each forbidden name stands."""
    for path in python_files(*CODE):
        place = str(path.relative_to(ROOT))
        for name, line in bound_names(path):
            if name.strip("_") in NAMES and (place, name) not in PUBLIC:
                yield f"{place}:{line}: {name}"


def test_words() -> None:
    """Code, help, errors, documents and the promises of tests hold no forbidden word."""
    assert [*forbidden_words()] == []


def test_names() -> None:
    """No variable, argument or function of the product has a forbidden name."""
    assert [*forbidden_names()] == []
