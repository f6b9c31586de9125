"""
Runs tests against mutants, each in a process that is forked with everything loaded.

Decides which tests see a mutant: those that execute its lines, first those of its room and of
these the shortest, until their usual time adds up to a budget.  A change within a function
replaces the function's code in the child; any other is imported from the start there.  Tests
that start commands as processes of their own do not see it.  A mutant is killed by a test that
fails, or that takes many times as long as usual.
"""

from __future__ import annotations

import ast
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import msgspec
import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.operators import Mutant, mutated

_MEMORY = 4 * 1024**3
_PYTEST = ("-q", "-s", "-p", "no:cacheprovider", "--hypothesis-profile=steady")


class Profile(msgspec.Struct):
    """What each test executes, and how long it takes."""

    seconds: dict[str, float] = {}
    """Of the tests that pass, by node id."""
    lines: dict[str, dict[int, list[str]]] = {}
    """Node ids by module and line."""

    def tests(self, mutant: Mutant, budget: float) -> list[str]:
        """The tests that see *mutant*: those of its room, then others, the shortest first."""
        _, room, *_ = Path(mutant.module.removesuffix(".py")).parts
        near = (f"tests/{room}/", f"tests/test_{room}.py")
        lines = self.lines.get(mutant.module, {})
        if mutant.function:
            wanted = range(mutant.first, mutant.last + 1)
            seeing = {test for line in wanted for test in lines.get(line, ())}
        else:
            named = f"tests/{room}/test_{Path(mutant.module).stem}.py"
            seeing = {test for tests in lines.values() for test in tests}
            seeing |= {test for test in self.seconds if test.startswith(named)}
        chosen: list[str] = []
        spent = 0.0
        order = {test: (not test.startswith(near), self.seconds[test], test) for test in seeing}
        for test in sorted(seeing, key=order.__getitem__):
            spent += self.seconds[test]
            if chosen and spent > budget:
                break
            chosen.append(test)
        return chosen


class Verdict(msgspec.Struct):
    """What became of one mutant."""

    module: str
    number: int
    function: str
    first: int
    statement: str
    change: str
    end: str
    """`failed`, `timeout`, `survived` or `unseen`."""
    tests: int


@dataclass
class _Loop:
    """A plugin of pytest that does something else with the collected tests than running them."""

    act: Callable[[list[pytest.Item]], None]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise SystemExit("the tests cannot be collected")
        self.act(session.items)
        return True


def profile(root: Path, arguments: Sequence[str]) -> Profile:
    """Run the tests that *arguments* select once."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "profile.json"
        _wait(_fork(lambda: _collect(arguments, lambda items: _measure(root, items, result))))
        return msgspec.json.decode(result.read_bytes(), type=Profile)


def run(
    root: Path,
    arguments: Sequence[str],
    chosen: Sequence[Mutant],
    seen: Profile,
    *,
    budget: float,
    jobs: int,
    report: Callable[[Verdict], None],
) -> None:
    """Run the tests that *arguments* select against each mutant."""
    within, declared = [], []
    for mutant in chosen:
        tests = seen.tests(mutant, budget)
        if mutant.function and tests:
            within.append((mutant, tests))
        elif elsewhere := seen.tests(replace(mutant, function=""), budget):
            declared.append((mutant, elsewhere))
        else:
            report(_verdict(mutant, "unseen", 0))
    if within:
        reader, writer = os.pipe()
        child = _fork(
            lambda: _collect(
                arguments, lambda items: _against(root, items, within, seen, jobs, writer)
            )
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            for line in lines:
                report(msgspec.json.decode(line, type=Verdict))
        _wait(child)
    _preload()
    for mutant, tests, end in _ends(
        declared, jobs, lambda mutant, tests: _from_the_start(root, mutant, tests, seen)
    ):
        report(_verdict(mutant, end, len(tests)))


def _verdict(mutant: Mutant, end: str, tests: int) -> Verdict:
    return Verdict(
        module=mutant.module,
        number=mutant.number,
        function=mutant.function,
        first=mutant.first,
        statement=mutant.statement,
        change=mutant.change,
        end=end,
        tests=tests,
    )


# Processes


def _fork(act: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        act()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 70
        sys.stderr.write(f"{end.code}\n" if status == 70 else "")
    except BaseException as error:  # noqa: BLE001  # the child ends here, whatever it was
        sys.stderr.write(f"{error!r}\n")
    finally:
        os._exit(status)


def _wait(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"a process of the runner ended with {status}")


def _ends(
    plans: Iterable[tuple[Mutant, list[str]]],
    jobs: int,
    act: Callable[[Mutant, list[str]], None],
) -> Iterator[tuple[Mutant, list[str], str]]:
    """How each plan ends, *jobs* of them at a time."""
    running: dict[int, tuple[Mutant, list[str], str]] = {}
    for mutant, tests in plans:
        if len(running) == jobs:
            yield _end(running)
        folder = tempfile.mkdtemp(prefix="mutant-", dir=_fast_folder())
        child = _fork(lambda m=mutant, t=tests, f=folder: _quietly(f, lambda: act(m, t)))  # type: ignore[misc]
        running[child] = (mutant, tests, folder)
    while running:
        yield _end(running)


def _end(running: dict[int, tuple[Mutant, list[str], str]]) -> tuple[Mutant, list[str], str]:
    child, status = os.wait()
    mutant, tests, folder = running.pop(child)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its tests started
    shutil.rmtree(folder, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    return (
        mutant,
        tests,
        {0: "survived", 1: "failed"}.get(code, "timeout" if code < 0 else "failed"),
    )


def _fast_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # memory


def _quietly(folder: str, act: Callable[[], None]) -> None:
    """Act without output, with temporary files in *folder* and bounded memory."""
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = tempfile.tempdir = folder
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    act()


# Tests


def _collect(arguments: Sequence[str], act: Callable[[list[pytest.Item]], None]) -> None:
    pytest.main([*_PYTEST, *arguments], plugins=[_Loop(act)])


def _measure(root: Path, items: list[pytest.Item], result: Path) -> None:
    cover = coverage.Coverage(data_file=None, config_file=False, source=[str(root / "provisioner")])
    seconds: dict[str, float] = {}
    cover.start()
    for item, after in zip(items, [*items[1:], None], strict=True):
        cover.switch_context(item.nodeid)
        before = time.perf_counter()
        if _passes(item, after):
            seconds[item.nodeid] = time.perf_counter() - before
        else:
            sys.stderr.write(f"left out, for it fails here: {item.nodeid}\n")
    cover.stop()
    result.write_bytes(msgspec.json.encode(Profile(seconds, _lines(root, cover, seconds))))


def _lines(
    root: Path, cover: coverage.Coverage, seconds: dict[str, float]
) -> dict[str, dict[int, list[str]]]:
    data = cover.get_data()
    return {
        str(Path(file).relative_to(root)): {
            line: [test for test in tests if test in seconds]
            for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


def _passes(item: pytest.Item, after: pytest.Item | None) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=after)
    return not any(report.failed for report in reports)


def _against(
    root: Path,
    items: list[pytest.Item],
    plans: Sequence[tuple[Mutant, list[str]]],
    seen: Profile,
    jobs: int,
    writer: int,
) -> None:
    by_name = {item.nodeid: item for item in items}
    functions = _functions(root)
    gc.freeze()

    def attack(mutant: Mutant, tests: list[str]) -> None:
        _patch(root, mutant, functions)
        chosen = [by_name[test] for test in tests if test in by_name]
        _attack(chosen, seen)

    for mutant, tests, end in _ends(plans, jobs, attack):
        line = msgspec.json.encode(_verdict(mutant, end, len(tests)))
        os.write(writer, line + b"\n")


def _attack(items: Sequence[pytest.Item], seen: Profile) -> None:
    """Run *items* until one fails, which is status 1."""
    try:
        for item, after in zip(items, [*items[1:], None], strict=True):
            usual = seen.seconds[item.nodeid]
            signal.setitimer(signal.ITIMER_PROF, 2 + 10 * usual)
            signal.setitimer(signal.ITIMER_REAL, 20 + 40 * usual)
            if not _passes(item, after):
                os._exit(1)
    except BaseException:  # noqa: BLE001  # a mutant may raise anything
        os._exit(1)
    os._exit(0)


# Mutants


_Functions = dict[tuple[str, str, int], list[FunctionType]]


def _functions(root: Path) -> _Functions:
    """The functions of the product, by file, qualified name and line."""
    found: _Functions = defaultdict(list)
    ours = str(root / "provisioner")
    for candidate in gc.get_objects():
        if isinstance(candidate, FunctionType) and candidate.__code__.co_filename.startswith(ours):
            found[_key(candidate.__code__)].append(candidate)
    return found


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _patch(root: Path, mutant: Mutant, functions: _Functions) -> None:
    if mutant.number < 0:
        return  # a control: the product as it is
    file = root / mutant.module
    code = compile(mutated(mutant, file.read_text()), str(file), "exec")
    for part in _parts(code):
        if part.co_qualname == mutant.function:
            for function in functions.get(_key(part), ()):
                function.__code__ = part


def _parts(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _parts(constant)


@dataclass
class _Finder(MetaPathFinder):
    """Finds one module in its mutated form."""

    name: str
    file: Path
    tree: ast.Module
    is_package: bool = field(default=False)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        del path, target
        if fullname != self.name:
            return None
        folder = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        loader = _Loader(fullname, str(self.file), self.tree)
        return spec_from_file_location(
            fullname, self.file, loader=loader, submodule_search_locations=folder
        )


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        code: CodeType = compile(self._tree, self.path, "exec")
        return code


def _from_the_start(root: Path, mutant: Mutant, tests: list[str], seen: Profile) -> None:
    """Import the product with *mutant* in it, then run *tests*."""
    file = root / mutant.module
    name = mutant.module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sys.meta_path.insert(0, _Finder(name, file, mutated(mutant, file.read_text())))
    order = {test: place for place, test in enumerate(tests)}

    def attack(items: list[pytest.Item]) -> None:
        _attack(sorted(items, key=lambda item: order[item.nodeid]), seen)

    pytest.main([*_PYTEST, *tests], plugins=[_Loop(attack)])
    os._exit(1)  # nothing could be collected


def _preload() -> None:
    """What every child needs, other than the product and its tests."""
    for name in ("asyncio", "click", "httpx", "jsonschema_rs", "orjson", "starlette", "yaml"):
        __import__(name)
