"""`ctxprov destroy` ends a whole stack, with its manifest or by its name."""

from __future__ import annotations

import re

from tests.cli.cli_harness import GEMINI, LONG, Stage

NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"

A = f"a: {{{GEMINI}, content: a.md}}"
PROTECTED = f"b: {{{GEMINI}, protect: true, content: a.md}}"


def test_a_stack_is_destroyed_without_its_manifest(stage: Stage) -> None:
    """Protected caches stay, strays go with --prune, and the handles' file is named."""
    stage.write(A, PROTECTED, a=LONG)
    stage.apply()
    (stage.root / "ctxprov.yaml").unlink()
    arguments = [
        "destroy",
        "--stack",
        "demo",
        "--state",
        str(stage.root / "state"),
        "--auto-approve",
    ]

    result = stage.run(*arguments)

    assert result.status == 3
    assert "The handles that demo published" in result.err
    assert [one["name"] for one in stage.live().values()] == ["b"]
    stage.state_file.unlink()
    assert stage.run(*arguments, "--prune").status == 0
    assert stage.live() == {}


def test_a_stack_that_was_never_there(stage: Stage) -> None:
    """destroy says that nothing is on record under a name that was mistyped, and of no handles."""
    backend = str(stage.root / "state")

    for _ in range(2):
        result = stage.run("destroy", "--stack", "demoo", "--state", backend, "--auto-approve")
        assert result.status == 0
        assert re.search(r"Nothing is on record in \S*demoo\.json: check the name", result.err)
        assert "handles" not in result.err


def test_destroy(stage: Stage) -> None:
    """Destroying needs no content and leaves nothing."""
    stage.write(A, NOTE, a=LONG, n=LONG)
    stage.apply()
    for file in stage.root.glob("*.md"):
        file.unlink()

    assert stage.run("destroy", ".", "--auto-approve").status == 0
    assert stage.live() == {}
    assert stage.state()["caches"] == {}
    assert stage.handles() == {}


def test_destroy_without_each(fileless: Stage) -> None:
    """Destroying goes by the record, even if the files that its caches came of are gone."""
    result = fileless.run("destroy", ".", "--auto-approve")

    assert (result.status, result.err) == (0, "")
    assert fileless.live() == {}
    assert fileless.state()["caches"] == {}
    assert fileless.handles() == {}


def test_destroy_needs_a_frame(fileless: Stage) -> None:
    """A manifest that is wrong in more than its caches destroys nothing."""
    file = fileless.root / "ctxprov.yaml"
    file.write_text(file.read_text() + "providers: {b: {key_env: GEMINI_B}}\n")
    result = fileless.run("destroy", ".", "--auto-approve")

    assert result.status == 1
    assert "providers.b.type: is missing" in result.err
    assert "names nothing that is there" in result.err
    assert len(fileless.live()) == 2
