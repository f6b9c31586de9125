"""
How large the house is: files, lines, names, and how far one plan walks through them.

`python -m benchmarks.house [TREE]` prints a table for this checkout, or for another one.  It stands
beside the benchmarks because it is a measurement as well, is run by hand, and asks no test for
anything: a figure is compared with that of another revision, not with a bound.

A line of code is neither blank nor part of an import, a comment or a docstring; a docstring is
any text that stands by itself.  The walk is that of `plan` over one stack, once everything is
imported: each function counts at its first call, calls in a row within one module are one step,
and the first sixty steps are looked at.
"""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO, TextIOWrapper
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve().parents[1]
STEPS = 60
_WORDS = re.compile(
    r"\b(told|nobody|somebody|whoever|whatever|anew|mend|makes no sense|let go of)\b", re.IGNORECASE
)
_FITTERS = frozenset({"columns", "pad"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Loop = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True)
class Source:
    """One module: its path below the package, and its text."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return [*ast.walk(self.tree)]

    @property
    def is_emulator(self) -> bool:
        return self.path.parts[0] == "emulator"

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def imports(self) -> set[int]:
        """The numbers of the lines that import something."""
        return _lines_of(n for n in self.nodes if isinstance(n, ast.Import | ast.ImportFrom))

    @cached_property
    def docstrings(self) -> set[int]:
        return _lines_of(
            node
            for node in self.nodes
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )

    @cached_property
    def code(self) -> int:
        apart = self.imports | self.docstrings
        return sum(
            bool(line.strip()) and not line.lstrip().startswith("#") and number not in apart
            for number, line in enumerate(self.lines, 1)
        )

    def functions(self) -> Iterator[tuple[int, str]]:
        """How many lines each function has, from `def` to its end, and its name."""
        for node in self.nodes:
            if isinstance(node, _Function):
                yield (
                    (node.end_lineno or node.lineno) - node.lineno + 1,
                    f"{self.path}: {node.name}",
                )

    def types(self) -> Iterator[str]:
        """Classes, aliases and type variables, without the underscore of a private name."""
        yield from (n.name.lstrip("_") for n in self.nodes if isinstance(n, ast.ClassDef))
        for node in self.tree.body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    if "TypeAlias" in ast.unparse(annotation):
                        yield name.lstrip("_")
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=made)):
                    if ast.unparse(made) in {"TypeVar", "ParamSpec"}:
                        yield name.lstrip("_")
                case _:
                    pass

    def imports_module(self, name: str) -> bool:
        return any(
            (isinstance(node, ast.Import) and any(each.name == name for each in node.names))
            or (isinstance(node, ast.ImportFrom) and node.module == name)
            for node in self.nodes
        )

    def calls(self, pattern: str, under: Iterable[ast.AST] | None = None) -> bool:
        """Whether the module, or one of the nodes *under*, calls what is spelled so."""
        return any(
            isinstance(node, ast.Call) and re.fullmatch(pattern, ast.unparse(node.func))
            for node in (self.nodes if under is None else under)
        )

    @property
    def retries(self) -> bool:
        """Whether it catches errors and pauses within a loop, or leaves that to tenacity."""
        loops = ([*ast.walk(node)] for node in self.nodes if isinstance(node, _Loop))
        return self.imports_module("tenacity") or any(
            self.calls(r"(.*\.)?_?sleep", loop)
            and any(isinstance(n, ast.Try | ast.With) for n in loop)
            for loop in loops
        )


@dataclass(frozen=True)
class House:
    """The package of a checkout."""

    tree: Path
    sources: list[Source] = field(default_factory=list)

    @classmethod
    def at(cls, tree: Path) -> House:
        room = tree / "provisioner"
        paths = sorted(path.relative_to(room) for path in room.rglob("*.py"))
        return cls(tree, [Source(path, (room / path).read_text("utf-8")) for path in paths])

    @property
    def ours(self) -> list[Source]:
        """All but the emulator, which is a twin on purpose."""
        return [source for source in self.sources if not source.is_emulator]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Everything that is counted without running anything."""
        lines = sum(len(source.lines) for source in self.sources)
        imports, docstrings = (
            sum(len(getattr(source, kind)) for source in self.sources)
            for kind in ("imports", "docstrings")
        )
        in_cli = sum(source.path.parts[0] == "cli" for source in self.sources)
        yield "files (in `cli/`)", f"{len(self.sources)} ({in_cli})"
        yield "lines", f"{lines:,}"
        yield "lines of code", f"{sum(source.code for source in self.sources):,}"
        yield "import lines (share)", f"{imports:,} ({imports / lines:.1%})"
        yield "docstring lines (share)", f"{docstrings:,} ({docstrings / lines:.1%})"
        yield from self._functions()
        yield "type names in two or more modules", _listed(self.shared_types())
        yield "modules without a test file of their name", _listed(self.untested(), shown=0)
        yield "modules that make an HTTP client", _listed(self._calling(r"httpx\.(Async)?Client"))
        yield "modules that retry", _listed(str(s.path) for s in self.ours if s.retries)
        yield (
            "modules that start processes",
            _listed(str(s.path) for s in self.ours if s.imports_module("subprocess")),
        )
        yield "modules that fit columns", _listed(self._calling("|".join(_FITTERS)))
        yield "words that the language rule forbids", str(self.forbidden())

    def _functions(self) -> Iterator[tuple[str, str]]:
        sizes = sorted(size for source in self.sources for size in source.functions())
        lengths = [length for length, _ in sizes]
        ninth = lengths[len(lengths) * 9 // 10]
        yield "functions: median, 90th percentile", f"{median(lengths):g}, {ninth} lines"
        yield "longest function", f"{sizes[-1][0]} lines, {sizes[-1][1]}"

    def shared_types(self) -> list[str]:
        """The names of types that stand in two or more modules."""
        places = defaultdict[str, set[Path]](set)
        for source in self.ours:
            for name in source.types():
                places[name].add(source.path)
        return sorted(name for name, where in places.items() if len(where) > 1)

    def untested(self) -> list[str]:
        """The modules beside which, below `tests/`, no file stands that is named after them."""
        return [
            str(source.path)
            for source in self.ours
            if source.path.name not in {"__init__.py", "__main__.py"}
            and not (
                self.tree / "tests" / source.path.with_name(f"test_{source.path.name}")
            ).exists()
        ]

    def _calling(self, pattern: str) -> list[str]:
        return [str(source.path) for source in self.ours if source.calls(pattern)]

    def forbidden(self) -> int:
        """How often the words stand in the package and its pages."""
        pages = [self.tree / "README.md", *(self.tree / "docs").glob("*.md")]
        texts = [source.text for source in self.sources]
        texts += [page.read_text("utf-8") for page in pages if page.exists()]
        return sum(len(_WORDS.findall(text)) for text in texts)


def _lines_of(nodes: Iterable[ast.AST]) -> set[int]:
    return {
        number
        for node in nodes
        if isinstance(node, ast.stmt)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _listed(names: Iterable[str], *, shown: int = 8) -> str:
    every = [*names]
    some = ", ".join(every[:shown]) + (", …" if len(every) > shown > 0 else "")
    return f"{len(every)}: {some}" if some and shown else str(len(every))


@dataclass
class Walk:
    """The functions that a run of ours calls, each at its first call."""

    room: str
    called: dict[tuple[str, str], None] = field(default_factory=dict)
    above_the_planner: int | None = None

    def step(self, frame: FrameType, event: str, _: object) -> None:
        """Remember a call; to be given to `sys.setprofile`."""
        module = self.module_of(frame)
        if event != "call" or module is None:
            return
        self.called.setdefault((module, frame.f_code.co_qualname))
        if self.above_the_planner is None and _is_planner(module, frame):
            self.above_the_planner = sum(1 for each in _above(frame) if self.module_of(each))

    def module_of(self, frame: FrameType) -> str | None:
        """The path of the frame's module in the package; None if it is not ours."""
        file = frame.f_code.co_filename
        if not file.startswith(self.room):
            return None
        module = file.removeprefix(self.room)
        return None if module.startswith("emulator") else module

    def rooms(self) -> list[str]:
        """The modules in the order of the walk, one for each step."""
        steps: list[str] = []
        for module, _ in self.called:
            if steps[-1:] != [module]:
                steps.append(module)
        return steps[:STEPS]


def _is_planner(module: str, frame: FrameType) -> bool:
    return module.startswith("planner") and frame.f_code.co_name == "plan"


def _above(frame: FrameType) -> Iterator[FrameType]:
    above = frame.f_back
    while above:
        yield above
        above = above.f_back


def trace(tree: Path) -> dict[str, Any]:
    """Plan the example of *tree*, whose package is the one that is imported, and watch."""
    walk = Walk(f"{tree / 'provisioner'}{os.sep}")
    with TemporaryDirectory() as folder:
        stack = Path(folder, "repository", "examples", "support-bot")
        shutil.copytree(tree / "examples" / "support-bot", stack)
        subprocess.run(["git", "init", "-q", str(stack.parents[1])], check=True)
        sys.argv[1:] = ["plan", str(stack), "--emulator"]
        _main()
        sys.setprofile(walk.step)
        _main()
        sys.setprofile(None)
    loaded = [name for name in sys.modules if name.startswith("provisioner.")]
    rooms = walk.rooms()
    return {
        "modules that `plan` loads": sum(".emulator" not in name for name in loaded),
        f"rooms of the first {STEPS} steps of `plan`": len(set(rooms)),
        "returns to a room left before": len(rooms) - len(set(rooms)),
        "own frames from `main` to `planner.plan`": walk.above_the_planner,
    }


def _main() -> None:
    main = runpy.run_module("provisioner.__main__", run_name="measured")["main"]
    with redirect_stdout(TextIOWrapper(BytesIO())), suppress(SystemExit):
        main()


def traced(tree: Path) -> Iterator[tuple[str, str]]:
    """Trace in a process that imports the package of *tree* and nothing of this one."""
    done = subprocess.run(
        [sys.executable, "-P", __file__, "--trace", str(tree)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
        capture_output=True,
        text=True,
    )
    for label, value in json.loads(done.stdout).items():
        yield label, str(value)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--trace", tree]:
            print(json.dumps(trace(Path(tree))))
        case _:
            checkout = Path(arguments[0]).resolve() if arguments else HERE
            print("| measured | here |\n|---|---|")
            for label, value in [*House.at(checkout).rows(), *traced(checkout)]:
                print(f"| {label} | {value} |")


if __name__ == "__main__":
    main(sys.argv[1:])
