"""
Environment variables, by a scan of the source: no run would read all of them.

A literal is a variable's name if it is given to a read of the environment, or if it looks like
one of a family below, wherever it stands: most stand in tables.  What is read and of no family is
in the result as well, so that a family that is missing shows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FAMILIES = re.compile(
    r"""(CTXPROV|GEMINI|GOOGLE|ANTHROPIC|OPENAI|AWS|AZURE|TF|GITHUB|GITLAB|CI|CIRCLE|BUILDKITE|GIT
    |GCM|SSL)_[A-Z0-9_*]+ | CI | TERM | PATH | LC_ALL | NO_COLOR | BUILD_URL | EXECUTOR_NUMBER
    | NODE_NAME | RUNNER_NAME | STAGE_NAME | STORAGE_EMULATOR_HOST
    | (HTTP|HTTPS|ALL|NO)_PROXY | (http|https|all|no)_proxy""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*|[a-z]+_proxy")
_MAPPINGS = re.compile(r"environ|variables")


def variables() -> dict[str, str]:
    """Return every variable that the product reads or sets, or that a page or a message names."""
    source = [*_trees()]
    literal = {name for tree in source for name in _names(tree)}
    named = {name for page in [*_pages(), *_messages(source)] for name in _in_prose(page)}
    for pattern in [name for name in literal if "*" in name]:
        if spelled := {n for n in named if re.fullmatch(pattern.replace("*", "[A-Z]+"), n)}:
            literal = literal - {pattern} | spelled
    return {name: "read or set" if name in literal else "named" for name in literal | named}


def decides(name: str) -> bool:
    """Whether a variable, other than those that every program needs, may change what is done."""
    return bool(_FAMILIES.fullmatch(name)) and name not in {"PATH", "TERM", "LC_ALL"}


def _trees() -> Iterator[ast.Module]:
    for path in sorted((ROOT / "provisioner").rglob("*.py")):
        if "emulator" not in path.parts:
            yield ast.parse(path.read_text(encoding="utf-8"))


def _pages() -> Iterator[str]:
    for path in [ROOT / "README.md", ROOT / "action.yml", *sorted((ROOT / "docs").glob("*.md"))]:
        yield path.read_text(encoding="utf-8")


def _messages(trees: Iterable[ast.Module]) -> Iterator[str]:
    """Texts that are no docstrings."""
    for tree in trees:
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) not in prose:
                yield from _literal(node)


def _in_prose(page: str) -> Iterator[str]:
    for word in re.findall(r"(?<![\w$-])\$?\{?([A-Z][A-Z0-9_]*[A-Z0-9])\b", page):
        if "_" in word and _FAMILIES.fullmatch(word):
            yield word


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(_piece(value) for value in node.values)
            if "*" in text and _FAMILIES.fullmatch(text):
                yield text
        for text in [*_literal(node)]:
            if _FAMILIES.fullmatch(text) and not text.endswith("_"):
                yield text
            if text.endswith("_proxy"):
                yield text.upper()
        yield from (name for name in _asked(node) if _NAME.fullmatch(name))


def _piece(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else "*"


def _literal(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _asked(node: ast.AST) -> Iterator[str]:
    """The literals that *node* asks the environment for, be it of a family or not."""
    match node:
        case ast.Call(func=ast.Attribute(value=mapping, attr="get" | "pop"), args=[key, *_]):
            yield from _literal(key) if _is_environment(mapping) else ()
        case ast.Call(func=ast.Attribute(attr="getenv"), args=[key, *_]):
            yield from _literal(key)
        case ast.Subscript(value=mapping, slice=key):
            yield from _literal(key) if _is_environment(mapping) else ()
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[mapping]):
            yield from _literal(key) if _is_environment(mapping) else ()
        case ast.keyword(arg="envvar", value=key):
            yield from _literal(key)
        case _:
            pass


def _is_environment(mapping: ast.expr) -> bool:
    return bool(_MAPPINGS.search(ast.unparse(mapping)))
