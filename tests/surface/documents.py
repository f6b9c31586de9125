"""
Every path of every document that the product writes or prints, from runs against an emulator.

A schema says what a document may hold; this is what it does hold, and the kind of each value.
Names, stacks and ids are keys of some documents: they count as `*`.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from provisioner import cli
from provisioner.emulator import CarryOut, Emulator
from provisioner.emulator.calls import Call
from tests.emulator.local import served
from tests.repository import git
from tests.surface.environment import decides

_LONG = "word " * 3400
_HEAD = """\
version: 1
stack: {stack}
publish: handles.json
limits:
  delete: {{percent: 100}}
  replace: {{count: 9, percent: 100}}
  rent_per_hour: {rent}
  rent_total_per_30_days: 500
providers:
  p-second: {{type: gemini, key_env: GEMINI_SECOND}}
defaults:
  gemini: {{model: gemini-3.5-flash, ttl: 12h}}
"""
_CACHES = """\
caches:
  c-warm: {provider: gemini, content: one.md, calls_per_hour: 20, system_instruction: system.md}
  c-once: {provider: gemini, content: two.md, keep: once, protect: true}
  c-until: {provider: gemini, content: three.md, expires_at: 2036-12-24T18:00:00Z}
  c-other: {provider: p-second, content: two.md, refresh_before: 4h, retire_after: 2h}
  c-claude: {provider: claude, model: claude-sonnet-5-5, content: one.md, calls_per_hour: 3}
  c-openai: {provider: openai, model: gpt-6.1-terra, content: one.md, calls_per_hour: 3}
"""
_EDITED = """\
moved: [{from: c-until, to: c-moved}]
caches:
  c-warm: {provider: gemini, content: three.md, calls_per_hour: 20, ttl: 6h}
  c-moved: {provider: gemini, content: three.md, expires_at: 2036-12-24T18:00:00Z, protect: true}
  c-claude: {provider: claude, model: claude-sonnet-5-5, content: two.md, ttl: 1h}
  c-openai: {provider: openai, model: gpt-6.1-terra, content: two.md}
"""
_KEY = re.compile(r"([cps]-|cachedContents/).*|.*/.*|.*\.md")
_MONEY = {"usd", "estimated", "partial"}


def documents() -> dict[str, str]:
    """Return each path, such as `next: $.stacks[*].stack`, with the kinds of its values."""
    with _world() as world:
        _visit(world)
        return {place: " ".join(sorted(kinds)) for place, kinds in world.places.items()}


@dataclass
class _World:
    """Two stacks in a repository, a project, and the places of all documents seen."""

    root: Path
    emulator: Emulator = field(init=False)
    ahead: timedelta = timedelta()
    holds: threading.Event | None = None
    """While it is not set, the project answers no request to create."""
    refuses: bool = False
    """Whether the project refuses to create."""
    asked: threading.Event = field(default_factory=threading.Event)
    places: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.emulator = Emulator(
            clock=lambda: datetime.now(UTC) + self.ahead, min_tokens=1, faults=self._around
        )

    async def _around(self, call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create" and self.holds:
            self.asked.set()
            await asyncio.to_thread(self.holds.wait)
        if call.operation == "create" and self.refuses:
            return Response(status_code=403)
        return await carry_out()

    @property
    def stack(self) -> Path:
        return self.root / "s-one"

    def write(self, stack: str, caches: str, *, rent: str = "0.5") -> None:
        folder = self.root / stack
        folder.mkdir(exist_ok=True)
        (folder / "ctxprov.yaml").write_text(_HEAD.format(stack=stack, rent=rent) + caches)
        for name in ("one", "two", "three", "system"):
            (folder / f"{name}.md").write_text(f"{name} {_LONG}")

    def run(self, *arguments: str) -> str:
        """Run a command on the first stack, which `.` stands for, and return what it prints."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with redirect_stdout(out), redirect_stderr(io.TextIOWrapper(io.BytesIO())):
            cli.run([str(self.stack) if each == "." else each for each in arguments])
            out.flush()
            return out.buffer.getvalue().decode()

    def see(self, kind: str, text: str | bytes) -> None:
        """Remember the places of a document."""
        for place, value in _places("$", json.loads(text)):
            self.places.setdefault(f"{kind}: {place}", set()).add(_kind(value))

    def ask(self, kind: str, *arguments: str) -> None:
        """Run a command that prints a document, and remember the document's places."""
        self.see(kind, self.run(*arguments))


@contextmanager
def _world() -> Iterator[_World]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environ:
        world = _World(Path(folder).resolve())
        for name in filter(decides, [*os.environ]):
            environ.delenv(name)
        with closing(world.emulator), served(world.emulator) as url:
            environ.setenv("GOOGLE_GEMINI_BASE_URL", url)
            environ.setenv("GEMINI_API_KEY", "AIza-the-first")
            environ.setenv("GEMINI_SECOND", "AIza-the-second")
            environ.setenv("COLUMNS", "200")
            environ.chdir(world.root)
            yield world


def _visit(world: _World) -> None:
    world.write("s-one", _CACHES)
    world.write("s-two", "caches: {c-alone: {provider: gemini, content: one.md}}\n")
    git(world.root, "init", "-q", "-b", "main")
    git(world.root, "add", ".")
    git(world.root, "commit", "-qm", "base")
    _beginning(world)
    _what_programs_take(world)
    _every_reader(world)
    _ending(world)


def _beginning(world: _World) -> None:
    world.ask("next", "next", ".", "--json")
    world.ask("plan", "plan", ".", "--json")
    world.ask("explain", "explain", "c-warm", "-C", ".", "--json")
    world.ask("explain", "explain", "c-claude", "-C", ".", "--json")
    world.ask("plan of several", "plan", ".", str(world.root / "s-two"), "--json")
    _while_locked(world)
    metrics = world.root / "metrics.prom"
    world.ask("apply", "apply", ".", "--auto-approve", "--json", "--metrics-file", str(metrics))
    for name in re.findall(r"^(ctxprov_\w+(?:\{[^}]*\})?)", metrics.read_text(), re.MULTILINE):
        labels = ",".join(sorted(re.findall(r"(\w+)=", name)))
        world.places.setdefault(f"metrics: {name.partition('{')[0]}", set()).add(f"({labels})")


def _while_locked(world: _World) -> None:
    """Ask who holds the lock while a run that waits for the project holds it."""
    world.holds = threading.Event()
    command = [sys.executable, "-m", "provisioner", "apply", str(world.stack), "--auto-approve"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, "--target", "c-once"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        try:
            assert world.asked.wait(30), "the run did not ask the project to create"
            world.ask("lock status", "lock", "status", "-C", ".", "--json")
            for path in sorted(world.stack.glob("state/*lock*")):
                world.see("lock", path.read_bytes())
        finally:
            world.holds.set()
    world.holds = None


def _every_reader(world: _World) -> None:
    """Look at what is there after an edit that replaces, retires and moves."""
    _look(world)
    world.write("s-one", _EDITED.replace("c-openai", "c-open"), rent="0.0001")
    world.ask("plan", "plan", ".", "--json")
    world.ask("changed", "changed", str(world.root), "--base", "main", "--json")
    world.ask("plan against a base", "plan", ".", "--base", "main", "--json")
    world.ask("explain", "explain", "c-warm", "-C", ".", "--json")
    world.ask("explain", "explain", "c-once", "-C", ".", "--json")
    beyond = ("--override", "rent_per_hour")
    world.ask("apply", "apply", ".", "--auto-approve", "--json", *beyond)
    _look(world)
    world.run("state", "mv", "c-open", "c-openai", "-C", ".")
    world.ahead = timedelta(hours=5)
    world.ask("plan", "plan", ".", "--json")
    world.ask("keepalive", "keepalive", ".", "--json")


def _look(world: _World) -> None:
    world.ask("lock status", "lock", "status", "-C", ".", "--json")
    world.ask("next", "next", ".", "--json")
    world.ask("plan", "plan", ".", "--json")
    world.ask("forecast", "forecast", ".", "--json", "--miss-rate", "10%")
    world.ask("drift", "drift", ".", "--json")
    world.ask("list", "list", ".", "--json")
    world.ask("output", "output", "-C", ".")
    world.ask("state list", "state", "list", "-C", ".", "--json")
    world.ask("state history", "state", "history", "-C", ".", "--json")
    for name in json.loads(world.run("state", "list", "-C", ".", "--json"))["caches"]:
        world.ask("state show", "state", "show", name, "-C", ".")
        world.ask("output NAME", "output", name, "-C", ".")
    world.see("state", (world.stack / "state" / "s-one.json").read_bytes())
    world.see("handles", (world.stack / "handles.json").read_bytes())
    world.see("history", (world.stack / "state" / "s-one.history" / "runs.json").read_bytes())


def _what_programs_take(world: _World) -> None:
    """See the requests and the variables of each provider."""
    for provider, name in (("gemini", "c-warm"), ("claude", "c-claude"), ("openai", "c-openai")):
        asked = ("output", name, "-C", ".", "--format")
        world.ask(f"request of {provider}", *asked, "request", "--no-content")
        world.ask(f"request of {provider} with content", *asked, "request")
        lines = world.run(*asked, "env").replace(name.upper().replace("-", "_"), "NAME")
        for variable in re.findall(r"export (\w+)=", lines):
            world.places.setdefault(f"output --format env: {variable}", set()).add(provider)
    chat = ("output", "c-openai", "-C", ".", "--format", "request", "--api", "chat")
    world.ask("request of openai for chat", *chat)


def _ending(world: _World) -> None:
    """See what drift, failures, strays and the end of a stack look like."""
    world.ask("apply", "apply", str(world.root / "s-two"), "--auto-approve", "--json")
    (world.root / "s-two" / "state" / "s-two.json").unlink()
    world.ask("next", "next", str(world.root / "s-two"), "--json")
    world.ask("list", "list", ".", "--json")
    world.ask("gc", "gc", "--state", str(world.stack / "state"), "--json")
    id_ = json.loads(world.run("state", "show", "c-moved", "-C", "."))["id"]
    url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/{id_}"
    httpx.delete(url, headers={"x-goog-api-key": "any"}).raise_for_status()
    world.ask("drift", "drift", ".", "--json")
    world.ahead = timedelta(hours=30)
    world.ask("plan", "plan", ".", "--json")
    world.refuses = True
    world.ask("apply", "apply", ".", "--auto-approve", "--json", "--accept-missing")
    world.refuses = False
    world.write("s-one", "caches: {}\n")
    world.ask("plan", "plan", ".", "--json", "--allow-empty")
    world.ask("destroy", "destroy", ".", "--auto-approve", "--json")


def _places(place: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # JSON
    yield place, value
    match value:
        case dict() if value.keys() != _MONEY:
            for key, child in value.items():
                yield from _places(f"{place}.{'*' if _KEY.fullmatch(key) else key}", child)
        case list():
            for child in value:
                yield from _places(f"{place}[*]", child)
        case _:
            pass


def _kind(value: Any) -> str:  # noqa: ANN401  # JSON
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case {"usd": _, "estimated": bool(), "partial": bool()}:
            return "money"
        case _:
            return "object"
