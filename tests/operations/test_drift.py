"""`ctxprov drift` compares what is on record with what is live."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"


def test_drift_with_nothing_at_all(stage: Stage) -> None:
    """Without a record and without a labelled cache, drift claims no comparison."""
    stage.write(A, a=LONG)
    result = stage.run("drift", ".")

    assert result.status == 0
    assert result.out == "Nothing is on record of demo, and no live cache carries its label.\n"


def test_what_another_client_deleted(stage: Stage) -> None:
    """A cache that another client deleted is drift; an edit of the files is none."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    assert stage.run("drift", ".").out == "No drift: the live side of demo is as recorded.\n"
    stage.delete(stage.state()["caches"]["a"]["id"])
    stage.write(A, B, b=LONG + "edited")

    result = stage.run("drift", ".", "--json")

    assert result.status == 2
    assert [(one["name"], one["reason"]) for one in result.json["changes"]] == [("a", "missing")]
    assert stage.count("create") == 2
