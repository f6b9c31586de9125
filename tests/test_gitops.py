"""
examples/gitops: its README is a story that happens, line by line, while this test runs.

Git is real, the project is an emulator on loopback, and everybody looks at one clock, which the
page sets.  The program that follows the handles is never restarted.
"""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from provisioner import Handles, cli, runtime
from provisioner.emulator import Emulator
from tests.emulator.local import Clock, served
from tests.repository import ALONE
from tests.test_docs import ROOT, WIDTH, settle, unchanging_prices

PAGE = ROOT / "examples" / "gitops" / "README.md"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = ("Mon", "Tue")
_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```\n)", re.DOTALL)
_COMMENT = re.compile(r"(?<=<!-- comment -->\n)(.*?)(?=<!-- end -->\n)", re.DOTALL)
_EXPECTED = re.compile(r"(?<=--expect )\w+")
_CACHE = re.compile(r"cachedContents/[0-9a-f]{40}")
_OUTCOMES = re.compile(r"(?:^. \w+: \w+\n)+", re.MULTILINE)
_COMMIT = re.compile(r"(?<=[Cc]ommit `)[0-9a-f]+")


@dataclass
class Terminal:
    """A person at a keyboard who types what the page says."""

    url: str
    now: Clock
    capsys: pytest.CaptureFixture[str]
    environ: pytest.MonkeyPatch
    programs: dict[str, Handles] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    """Ids of caches in the order in which they were shown."""
    used: set[str] = field(default_factory=set)
    """Those that the program has asked."""

    def run(self, block: str) -> str:
        lines = [line for line in block.splitlines() if re.match(r"[$#] ", line)]
        return "\n".join(told for line in lines for told in self._line(line)).rstrip() + "\n"

    def _line(self, line: str) -> Iterator[str]:
        sign, _, typed = line.partition(" ")
        if sign == "#":
            day, _, hour = typed.partition(" ")
            at = timedelta(days=DAYS.index(day), hours=int(hour[:2]), minutes=int(hour[3:]))
            self.now.now = MONDAY + at
            yield line
            return
        if "--expect" in typed:
            typed = _EXPECTED.sub(json.loads(Path("plan.json").read_text())["fingerprint"], typed)
        yield f"$ {typed}"
        told = self._steady(self._type(typed))
        if told:
            yield told

    def _type(self, typed: str) -> str:
        match shlex.split(typed):
            case ["ctxprov", "emulator", *_]:
                return ""  # it serves already, on a free port
            case ["export", *pairs]:
                for name, _, value in (pair.partition("=") for pair in pairs):
                    self.environ.setenv(name, re.sub(r"^http.*", self.url, value))
                return ""
            case ["ctxprov", *words]:
                assert cli.run(words) == 0, self.capsys.readouterr()
                return self.capsys.readouterr().out
            case ["python", program, file]:
                return self._ask(program, file)
            case _:
                subprocess.run(typed, shell=True, check=True)  # noqa: S602  # the page's own
                return ""

    def _ask(self, program: str, file: str) -> str:
        """What the program says that has been running since the page first named it."""
        handles = self.programs.setdefault(file, Handles(file, clock=self.now))
        told: str = runpy.run_path(program)["way"](handles)
        for id_ in _CACHE.findall(told):
            alive = httpx.get(f"{self.url}/v1beta/{id_}", headers={"x-goog-api-key": "any"})
            assert alive.status_code == 200, f"{told}: nobody answers there"
            self.used.add(id_)
        return told

    def _steady(self, text: str) -> str:
        """
        Ids are random: they are numbered in the order in which they are seen.  What is done at
        once ends in any order: it is sorted.
        """
        text = _OUTCOMES.sub(
            lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text
        )
        for id_ in _CACHE.findall(text):
            if id_ not in self.known:
                self.known.append(id_)
            text = text.replace(id_, f"cachedContents/c0ffee{self.known.index(id_) + 1}")
        return text.rstrip()


@pytest.mark.heavy
def test_the_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page shows is what its commands print, and the program never asks the dead."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    now = Clock(MONDAY)
    monkeypatch.setattr(runtime, "SYSTEM", replace(runtime.SYSTEM, now=now))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("CTXPROV_MODELS", str(unchanging_prices(tmp_path / "models.json")))
    for name in ("CI", "CTXPROV_STATE", "GOOGLE_API_KEY", "GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.delenv(name, raising=False)

    with closing(Emulator(clock=now)) as emulator, served(emulator) as url:
        terminal = Terminal(url, now, capsys, monkeypatch)
        text = _BLOCK.sub(lambda found: terminal.run(found[0]), PAGE.read_text())
        made = emulator.requests
        assert (made["create"], made["patch"], made["delete"]) == (6, 4, 0)

    comment = _COMMIT.sub("c0ffee", (tmp_path / "comment.md").read_text())
    text = _COMMENT.sub(lambda _: f"\n{comment}\n", text)
    settle(PAGE, text)
    assert len(terminal.used) == 3
