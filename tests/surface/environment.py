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
_WORTH_PARSING = re.compile(
    rf"environ|getenv|envvar|variables|\b(?:{_FAMILIES.pattern})", re.VERBOSE
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
        text = path.read_text(encoding="utf-8")
        if "emulator" not in path.parts and _WORTH_PARSING.search(text):
            yield ast.parse(text)


def _pages() -> Iterator[str]:
    for path in [ROOT / "README.md", ROOT / "action.yml", *sorted((ROOT / "docs").glob("*.md"))]:
        yield path.read_text(encoding="utf-8")


def _messages(trees: Iterable[ast.Module]) -> Iterator[str]:
    """Literals that are no docstrings."""
    for tree in trees:
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in prose:
                yield _spelled(node)


def _in_prose(page: str) -> Iterator[str]:
    for word in re.findall(r"(?<![\w$-])\$?\{?([A-Z][A-Z0-9_]*[A-Z0-9])\b", page):
        if "_" in word and _FAMILIES.fullmatch(word):
            yield word


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        text = _spelled(node)
        if _FAMILIES.fullmatch(text) and not text.endswith("_"):
            yield text
        if text.endswith("_proxy"):
            yield text.upper()
        name, mapping = _asked(node)
        if _NAME.fullmatch(name) and (mapping is None or _is_environment(mapping)):
            yield name


def _spelled(node: ast.AST) -> str:
    """The text of a literal, with a `*` for what a format puts in."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_spelled(value) or "*" for value in values)
        case _:
            return ""


def _asked(node: ast.AST) -> tuple[str, ast.expr | None]:
    """The literal that *node* asks a mapping for, if it does; None is the environment itself."""
    match node:
        case ast.Call(func=ast.Attribute(value=mapping, attr="get" | "pop"), args=[key, *_]):
            return _spelled(key), mapping
        case ast.Call(func=ast.Attribute(attr="getenv"), args=[key, *_]):
            return _spelled(key), None
        case ast.Subscript(value=mapping, slice=key):
            return _spelled(key), mapping
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[mapping]):
            return _spelled(key), mapping
        case ast.keyword(arg="envvar", value=key):
            return _spelled(key), None
        case _:
            return "", None


def _is_environment(mapping: ast.expr) -> bool:
    return bool(_MAPPINGS.search(ast.unparse(mapping)))
