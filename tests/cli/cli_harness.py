"""
A stage for whole stories: a stack on disk, an emulator on loopback, and the command line.

The emulator's clock runs `ahead` of (or behind) the real one, so that what it makes can be
made to expire without waiting.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from provisioner import cli
from provisioner.emulator import CarryOut, Emulator
from provisioner.emulator.calls import Call
from provisioner.runtime import SYSTEM
from tests.emulator.local import served

KEY = "AIza-made-up-key-0123456789"
SECRET = "The password of the vault is swordfish. "
LONG = SECRET + "word " * 3400
HEAD = "version: 1\nstack: demo\npublish: handles.json\n"
GEMINI = "provider: gemini, model: gemini-3.8-flash, ttl: 12h"

_MANIFEST = """\
version: 1
stack: {name}
caches:
  a: {{{gemini}, content: a.md}}
"""

Around = Callable[[Call, CarryOut], Any]


@dataclass
class Printed:
    """What a command printed, and the status that it ended with."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever the command prints
        return json.loads(self.out)


@dataclass
class Stage:
    """One stack, one project, one terminal."""

    root: Path
    capsys: pytest.CaptureFixture[str]
    ahead: timedelta = timedelta()
    around: Around | None = None
    """Stands around each call to the project, if set."""
    keys: tuple[str, ...] = ()
    clock: Callable[[], datetime] = SYSTEM.now
    """Of the project, but for `ahead`."""
    emulator: Emulator = field(init=False)

    def __post_init__(self) -> None:
        self.emulator = Emulator(
            clock=lambda: self.clock() + self.ahead,
            api_keys=self.keys,
            min_tokens=1,
            faults=self._faults,
        )

    async def _faults(self, call: Call, carry_out: CarryOut) -> Response:
        if self.around is None:
            return await carry_out()
        answer: Response = await self.around(call, carry_out)
        return answer

    def write(self, *caches: str, head: str = HEAD, **files: str) -> None:
        """A manifest of *caches*, each `name: {…}`; *files* by name without suffix."""
        lines = "".join(f"  {cache}\n" for cache in caches)
        body = f"caches:\n{lines}" if lines else "caches: {}\n"
        (self.root / "ctxprov.yaml").write_text(head + body)
        for name, text in files.items():
            (self.root / f"{name}.md").write_text(text)

    def run(self, *arguments: str) -> Printed:
        """Run a command on this stack; a word `.` is its folder."""
        self.capsys.readouterr()
        status = cli.run([str(self.root) if word == "." else word for word in arguments])
        out, err = self.capsys.readouterr()
        return Printed(status, out, err)

    def apply(self, *arguments: str) -> Printed:
        return self.run("apply", ".", "--auto-approve", *arguments)

    def plan(self, *arguments: str) -> Any:  # noqa: ANN401  # a plan in JSON
        return self.run("plan", ".", "--json", *arguments).json

    def changes(self, *arguments: str) -> dict[str, tuple[str, str]]:
        """Action and reason of each change, by name."""
        return {c["name"]: (c["action"], c["reason"]) for c in self.plan(*arguments)["changes"]}

    def live(self) -> dict[str, Any]:
        """What the project lists, by id."""
        return {one["id"]: one for one in self.run("list", "/nowhere", "--json").json["caches"]}

    def delete(self, id_: str) -> None:
        """Another client deletes a cache."""
        url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/{id_}"
        httpx.delete(url, headers={"x-goog-api-key": KEY}).raise_for_status()

    @property
    def state_file(self) -> Path:
        return self.root / "state" / "demo.json"

    def state(self) -> Any:  # noqa: ANN401  # a state in JSON
        return json.loads(self.state_file.read_text())

    def handles(self) -> Any:  # noqa: ANN401  # published handles
        return json.loads((self.root / "handles.json").read_text())["caches"]

    def count(self, *operations: str) -> int:
        return sum(self.emulator.requests[operation] for operation in operations)


@contextmanager
def staged(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    environ: pytest.MonkeyPatch,
    *,
    keys: tuple[str, ...] = (),
) -> Iterator[Stage]:
    """Raise the curtain: the project is served on loopback and the environment points at it."""
    for name in ("CI", "CTXPROV_STATE", "GOOGLE_API_KEY", "NO_COLOR"):
        environ.delenv(name, raising=False)
    environ.setenv("COLUMNS", "80")
    stage = Stage(root, capsys, keys=keys)
    with ExitStack() as stack:
        stack.enter_context(closing(stage.emulator))
        url = stack.enter_context(served(stage.emulator))
        environ.setenv("GOOGLE_GEMINI_BASE_URL", url)
        environ.setenv("GEMINI_API_KEY", KEY)
        yield stage


def write_stacks(stage: Stage, *names: str) -> Path:
    """Stacks in folders of their own; return a pattern that matches all."""
    for name in names:
        folder = stage.root / "stacks" / name
        folder.mkdir(parents=True)
        (folder / "ctxprov.yaml").write_text(_MANIFEST.format(name=name, gemini=GEMINI))
        (folder / "a.md").write_text(LONG)
    return stage.root / "stacks" / "*"
