"""The fingerprint of a plan: where and when it is made does not count, any edit does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.repository import git

TEXT = LONG.replace(" word", "\nWörter für 5 €", 9)
TOOLS = '[{"function_declarations": [{"name": "look"}]}]'
ALL = f"""{HEAD}environments: {{dev: {{caches: {{a: {{ttl: 6h}}}}}}, prod: {{}}}}
caches:
  a: {{{GEMINI}, content: a.md, system_instruction: system.md, tools: tools.json}}
  b: {{{GEMINI}, content: [a.md, {{text: more}}], revision: '1'}}
  n: {{provider: claude, model: claude-sonnet-5-5, content: a.md}}
"""
FILES = {"ctxprov.yaml": ALL, "a.md": TEXT, "system.md": TEXT, "tools.json": TOOLS}
_STACK = "ctxprov.yaml"
_LIFE = "ttl: 12h, content: ["
_NOTE = "n: {provider: claude, model: claude-sonnet-5-5"
EDITS = {
    "a byte of content": ("a.md", "swordfish", "swordfisH"),
    "the end of a file": ("a.md", "word " * 2, "word " * 2 + "\n\n"),
    "a system instruction": ("system.md", "vault", "safe"),
    "tools": ("tools.json", "look", "see"),
    "no tools": (_STACK, ", tools: tools.json", ""),
    "a tool config": (
        _STACK,
        "tools: tools.json",
        "tools: tools.json, tool_config: {function_calling_config: {mode: ANY}}",
    ),
    "a model": (
        _STACK,
        "a: {provider: gemini, model: gemini-3.8",
        "a: {provider: gemini, model: gemini-3.7",
    ),
    "a ttl": (_STACK, _LIFE, _LIFE.replace("ttl: 12h", "ttl: 11h")),
    "an end": (_STACK, _LIFE, _LIFE.replace("ttl: 12h", "expires_at: 2099-01-01T00:00:00Z")),
    "refresh_before": (_STACK, _LIFE, f"refresh_before: 1h, {_LIFE}"),
    "retire_after": (_STACK, _LIFE, f"retire_after: 2h, {_LIFE}"),
    "keep": (_STACK, _LIFE, f"keep: once, {_LIFE}"),
    "protect": (_STACK, _LIFE, f"protect: true, {_LIFE}"),
    "a revision": (_STACK, "revision: '1'", "revision: '2'"),
    "a part more": (_STACK, "{text: more}", "{text: more}, {text: more}"),
    "the order of parts": (_STACK, "[a.md, {text: more}]", "[{text: more}, a.md]"),
    "a provider": (_STACK, _NOTE, "n: {provider: openai, model: gpt-6.1-terra"),
    "an annotation's ttl": (_STACK, _NOTE, f"{_NOTE}, ttl: 1h"),
    "an entry more": (_STACK, "caches:\n", f"caches:\n  z: {{{GEMINI}, content: a.md}}\n"),
    "an entry less": (_STACK, f"  {_NOTE}, content: a.md}}\n", ""),
    "another name": (_STACK, "  n: {", "  m: {"),
    "the environment": (_STACK, "prod: {}", "prod: {caches: {a: {ttl: 6h}}}"),
}


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8", newline="")


def _repository(root: Path) -> None:
    root.mkdir(exist_ok=True)
    _write(root, FILES)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", *FILES)
    git(root, "commit", "--quiet", "--message", "base")


def _edited(edit: str) -> dict[str, str]:
    name, before, after = EDITS[edit]
    assert before in FILES[name]
    return {**FILES, name: FILES[name].replace(before, after, 1)}


def _prints(stage: Stage, *arguments: str) -> tuple[str, str]:
    """The fingerprints from git alone and with live data."""
    plans = (stage.plan("--env", "prod", *arguments, *more) for more in (["--base", "main"], []))
    base, live = (plan["fingerprint"] for plan in plans)
    return base, live


def _print_elsewhere(folder: Path, umask: int, *arguments: str, **environ: str) -> str:
    """The fingerprint as another process of another user computes it."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "provisioner",
            "plan",
            folder,
            "--json",
            "--env",
            "prod",
            *arguments,
        ],
        env={**os.environ, **environ},
        umask=umask,
        capture_output=True,
        check=True,
    )
    result: str = json.loads(done.stdout)["fingerprint"]
    return result


@pytest.mark.heavy
def test_the_same_everywhere(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine, folder, user, locale, line ends, time and the live side do not count."""
    here, there = stage.root / "here", stage.root / "down" / "there"
    _repository(here)
    monkeypatch.setenv("CTXPROV_STATE", str(stage.root / "state"))
    stage.root = here
    stage.apply("--env", "prod")
    git(here, "switch", "--quiet", "--create", "branch")
    _write(here, _edited("a byte of content") | {"tools.json": TOOLS.replace("look", "see")})
    git(here, "commit", "--quiet", "--all", "--message", "edits")
    crlf = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
    git(here, *crlf, "clone", "--quiet", *crlf, str(here), str(there))
    assert b"\r\n" in (there / "a.md").read_bytes()

    another = {"HOME": str(there), "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Tokyo"}
    result = {
        *_prints(stage),
        *_prints(stage, "--at", "+30d"),
        _print_elsewhere(there, 0o077, "--base", "origin/main", **another),
        _print_elsewhere(there, 0o000, "--at", "+1h", **another),
    }

    assert len(result) == 1
    assert stage.plan("--env", "prod", "--base", "main")["edits"] != []


@pytest.mark.heavy
def test_another_for_any_edit(stage: Stage) -> None:
    """Edits of any kind have each a fingerprint of their own, the same from git and live."""
    _repository(stage.root)
    stage.apply("--env", "prod")
    result = {"nothing": _prints(stage)}
    for edit in EDITS:
        _write(stage.root, _edited(edit))
        result[edit] = _prints(stage)

    assert {edit for edit, (base, live) in result.items() if base != live} == set()
    assert len({base for base, _ in result.values()}) == 1 + len(EDITS)
