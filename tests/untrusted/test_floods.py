"""However much a checkout declares, and however wrong, what comes of it is bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from provisioner.cli import group
from provisioner.errors import ManifestError
from provisioner.manifest import load_manifest
from provisioner.manifest.entries import at_most
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_empty import commands

EACH = f"'c-{{each}}': {{{GEMINI}, each: 'texts/*', content: 'texts/{{each}}.md'}}"


def texts(root: Path, count: int) -> None:
    (root / "texts").mkdir()
    for number in range(count):
        (root / "texts" / f"{number:04}.md").write_text(f"{LONG}{number}")


@pytest.mark.heavy
def test_each_beyond_the_limit(stage: Stage) -> None:
    """An `each` that makes more caches than a stack may have is an error with its place."""
    texts(stage.root, 1_001)
    stage.write(EACH)
    for arguments in (("validate", "."), ("plan", "."), ("apply", ".", "--auto-approve")):
        answer = stage.run(*arguments)
        assert answer.status == 1
        assert "ctxprov.yaml:5:" in answer.err
        assert "more caches than the 1,000 that a stack may have" in answer.err
        assert "1 problem; nothing was changed." in answer.err
    assert stage.live() == {}
    assert stage.run("validate", ".", "--max-caches", "1001").status == 0


def test_the_limit_itself(stage: Stage) -> None:
    """Exactly as many caches as the limit says are a stack; the next command forgets a limit."""
    texts(stage.root, 3)
    stage.write(EACH)
    assert stage.run("validate", ".", "--max-caches", "3").status == 0
    assert stage.run("validate", ".", "--max-caches", "2").status == 1
    assert stage.run("validate", ".").status == 0


@pytest.mark.parametrize("key", ["max_caches", "max-caches"])
def test_no_manifest_raises_the_limit(stage: Stage, key: str) -> None:
    """The limit is the command line's alone."""
    stage.write("a: {provider: claude, content: a.md}", a=LONG)
    manifest = stage.root / "ctxprov.yaml"
    manifest.write_text(f"{key}: 5000\n{manifest.read_text()}")
    answer = stage.run("validate", ".")
    assert (answer.status, key in answer.err) == (1, True)


def test_what_counts(tmp_path: Path) -> None:
    """Each provider of a list counts, and so do fragments and caches that are wrong."""
    (tmp_path / "one.md").write_text(LONG)
    (tmp_path / "ctxprov.yaml").write_text(
        "version: 1\nstack: demo\ndefaults: {claude: {model: m}, openai: {model: m}}\n"
        "caches:\n  a: {provider: [claude, openai], content: one.md}\n"
    )
    (tmp_path / "b.ctxprov.yaml").write_text(
        "version: 1\ncaches:\n"
        "  'b-{each}': {provider: [claude, openai], each: '*.md', content: one.md}\n"
    )
    with at_most(4):
        assert len(load_manifest(tmp_path).caches) == 4
    with at_most(3), pytest.raises(ManifestError, match="more caches than the 3 "):
        load_manifest(tmp_path)
    (tmp_path / "B_AD.md").write_text(LONG)
    with at_most(5), pytest.raises(ManifestError, match="more caches than the 5 "):
        load_manifest(tmp_path)


@pytest.mark.heavy
def test_many_patterns_end_soon(stage: Stage) -> None:
    """Thousands of entries with patterns of their own are given up at the limit."""
    texts(stage.root, 300)
    lines = [
        f"'c{n}-{{each}}': {{{GEMINI}, each: 'texts/*{n}*', content: a.md}}" for n in range(3000)
    ]
    stage.write(*lines, a=LONG)
    begun = time.process_time()
    answer = stage.run("validate", ".")
    assert (answer.status, "more caches than" in answer.err) == (1, True)
    assert time.process_time() - begun < 20


@pytest.mark.heavy
def test_many_environments_end_soon(stage: Stage) -> None:
    """Thousands of environments, which validate would go through, are refused by their number."""
    names = "".join(f"  e{n}: {{}}\n" for n in range(4_000))
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    manifest = stage.root / "ctxprov.yaml"
    manifest.write_text(f"environments:\n{names}{manifest.read_text()}")
    begun = time.process_time()
    for arguments in (("validate", "."), ("plan", ".", "--env", "e7")):
        answer = stage.run(*arguments)
        assert (answer.status, "at most 100 names" in answer.err) == (1, True), answer.err[:500]
        assert len(answer.out) + len(answer.err) < 5_000
    assert time.process_time() - begun < 20


def readers() -> Iterator[tuple[str, click.Command]]:
    """The commands that read manifests, as far as their options show."""
    for arguments, command in commands(group):
        if any(param.name in {"environment", "base"} for param in command.params):
            yield " ".join(arguments), command


def test_every_command_that_reads_a_manifest() -> None:
    """Each of them takes the limit."""
    found = dict(readers())
    assert len(found) > 15
    for name, command in found.items():
        assert any("--max-caches" in param.opts for param in command.params), name


FLOODS = {
    "malformed names": [f"N{n}: {{}}" for n in range(20_000)],
    "unknown keys": [f"a{n}: {{provider: claude, nonsense{n}: 1}}" for n in range(2_000)],
    "unknown keys of one cache": [
        f"a: {{provider: claude, {', '.join(f'nonsense{n}: 1' for n in range(1_000))}}}"
    ],
    "duplicate keys": ["a: {provider: claude}" for _ in range(2_000)],
    "one long key": [f"'{'n' * 1_000_000}': {{}}"],
    "one long value": [f"a: {{provider: '{'n' * 1_000_000}'}}"],
    "files that are missing": [
        f"a{n}: {{provider: claude, model: m, content: '{'d/' * 100}{n}.md'}}" for n in range(900)
    ],
}


@pytest.mark.heavy
@pytest.mark.parametrize("flood", FLOODS)
def test_floods_of_problems(stage: Stage, flood: str) -> None:
    """However much is wrong, a screen or two says what, and how much more there is."""
    stage.write(*FLOODS[flood])
    for arguments in (("validate", "."), ("plan", "."), ("plan", ".", "--out", "github=-")):
        answer = stage.run(*arguments)
        assert answer.status == 1
        assert len(answer.out) + len(answer.err) < 60_000
        assert "more" in answer.err or flood.startswith("one")


def test_the_rest_is_counted(stage: Stage) -> None:
    """Fifty problems are shown, and the rest is counted."""
    stage.write(*(f"N{n}: {{}}" for n in range(70)))
    lines = stage.run("validate", ".").err.splitlines()
    assert lines[-2:] == ["… and 90 more.", "140 problems; nothing was changed."]
    assert len(lines) == 52


def test_floods_of_warnings(stage: Stage) -> None:
    """Warnings are counted likewise, also by validate."""
    stage.write(
        *(f"a{n}: {{{GEMINI}, content: a.md}}" for n in range(90)),
        a="less than the minimum",
    )
    answer = stage.run("validate", ".")
    assert answer.status == 0
    assert "… and 40 more warnings." in answer.err


def test_commands_that_need_the_name_alone(stage: Stage) -> None:
    """`approved` and `lock status` go by the stack's name, however many caches it has."""
    texts(stage.root, 1_001)
    stage.write(EACH)
    for arguments in (("approved", "."), ("lock", "status", "-C", ".")):
        assert "more caches" not in stage.run(*arguments).err
