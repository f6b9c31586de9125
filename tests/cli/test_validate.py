"""`ctxprov validate` makes every check that asks no provider."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
TWO = f"{HEAD}environments:\n  dev: {{caches: {{a: {{ttl: 1h}}}}}}\n  prod:\n"


def test_validate_checks_all(stage: Stage) -> None:
    """Without --env every environment is checked, and one that is wrong fails the command."""
    stage.write(A, head=TWO.replace("ttl: 1h", "content: b.md"), a=LONG)
    result = stage.run("validate", ".")

    assert result.status == 1
    assert "environments.dev.caches.a.content: 'b.md' does not exist" in result.err
    assert "ctxprov.yaml, prod: 1 cache, no problems." in result.out
    assert stage.run("validate", ".", "--env", "prod").status == 0


def test_validate_tells_once(stage: Stage) -> None:
    """Validate names a mistake of every environment once, and that of one with its name."""
    head = f"{HEAD}environments:\n  dev:\n  prod: {{caches: {{b: null}}}}\n"
    stage.write(f"a: {{{GEMINI}, content: no}}", f"b: {{{GEMINI}, content: no}}", head=head)

    result = stage.run("validate", ".")

    assert result.status == 1
    lines = [line.partition("caches.")[2] for line in result.err.splitlines()]
    assert lines == [
        "a.content: 'no' does not exist",
        "b.content: 'no' does not exist (in dev)",
        "",
    ]
