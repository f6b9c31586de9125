"""`ctxprov explain`, held against what then happens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.planner.decision_table import ANNOTATED, OUTDATED
from tests.cli.cli_harness import GEMINI, KEY, LONG, SECRET, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"


def explain(stage: Stage, name: str, *arguments: str) -> Any:  # noqa: ANN401  # what is explained, in JSON
    result = stage.run("explain", name, "-C", ".", "--json", *arguments).json
    assert result["stack"] == "demo"
    return result["explanations"]


def test_apply_calls_what_was_said(stage: Stage) -> None:
    """Apply writes by the methods and paths that explain listed."""
    called: list[tuple[str, str]] = []

    async def watch(call: Call, carry_out: CarryOut) -> Response:
        if call.operation in {"create", "patch", "delete"}:
            called.append((call.method, call.path.partition("/v1beta/")[2]))
        return await carry_out()

    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.write(A, a=LONG * 2)
    (result,) = explain(stage, "a")
    stage.around = watch
    assert stage.apply().status == 0

    assert called == [(call["method"], call["path"]) for call in result["calls"]]
    assert [call["life"] for call in result["calls"]] == [{"ttl": "12h"}, {"ttl": "1h"}]


def test_the_turns_come_true(stage: Stage) -> None:
    """At each moment that explain lists, plan decides what explain foresaw."""
    stage.write(A, a=LONG)
    stage.apply()
    (result,) = explain(stage, "a")

    assert [flip["action"] for flip in result["flips"]] == ["refresh", "create"]
    for flip in result["flips"]:
        (change,) = stage.plan("--at", flip["at"])["changes"]
        assert (change["action"], change["reason"]) == (flip["action"], flip["reason"])
        before = datetime.fromisoformat(flip["at"]) - timedelta(seconds=5)
        (change,) = stage.plan("--at", before.isoformat())["changes"]
        assert change["action"] != flip["action"]


def test_three_tenses(stage: Stage) -> None:
    """Desired is the manifest's, recorded the state's, live the provider's; no lock is taken."""
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.state_file.stat()
    stage.write(A, a=LONG * 2)
    (result,) = explain(stage, "a")
    record = stage.state()["caches"]["a"]

    assert result["declared_at"].endswith("ctxprov.yaml:5:3")
    assert result["recorded"]["digest"] == record["digest"] != result["desired"]["digest"]
    assert result["recorded"]["id"] == result["live"]["id"] == record["id"]
    assert result["live"]["digest"] is None
    assert result["row"] == OUTDATED.sentence
    assert stage.state_file.stat().st_mtime_ns == before.st_mtime_ns


def test_names(stage: Stage) -> None:
    """What is undeclared, retiring or a stray is explained as well; the unknown is wrong usage."""
    stage.write(A, NOTE, a=LONG, n=LONG)
    stage.apply()
    (old,) = stage.live()
    stage.write(A, NOTE, a=LONG * 2, n=LONG)
    stage.apply()
    stage.write(NOTE, n=LONG)

    assert [one["action"] for one in explain(stage, "a")] == ["retire", "leave"]
    assert [one["reason"] for one in explain(stage, old)] == ["retiring"]
    assert [one["row"] for one in explain(stage, "n")] == [ANNOTATED.sentence]
    stage.state_file.unlink()
    stage.write(A, NOTE, a=LONG * 2, n=LONG)
    strays = explain(stage, old)
    assert [one["reason"] for one in strays] == ["stray"]
    assert strays[0]["declared_at"] is None
    wrong = stage.run("explain", "nn", "-C", ".")
    assert wrong.status == 64
    assert "did you mean n?" in wrong.err


def test_in_words(stage: Stage) -> None:
    """A person reads it without a manual, and finds neither content nor key in it."""
    stage.write(A, a=LONG)
    result = stage.run("explain", "a", "-C", ".")

    assert result.status == 0
    assert result.out.startswith("+ a: create\nNot there yet.\n")
    assert "POST cachedContents ttl=43200s (17 kB, ~4.3k tokens)" in result.out
    assert KEY not in result.out
    assert SECRET not in result.out
    (later,) = explain(stage, "a", "--at", "2030-01-01T00:00:00Z")
    assert later["at"] == "2030-01-01T00:00:00Z"


def test_the_money_is_that_of_the_plan(stage: Stage) -> None:
    """An explanation prices its change as plan does, and says so in words."""
    stage.write(A, a=LONG)
    (planned,) = stage.plan()["changes"]
    (result,) = explain(stage, "a")

    assert result["cost"] == planned["cost"]
    assert "Rent of the next 30 days: ~$" in stage.run("explain", "a", "-C", ".").out
