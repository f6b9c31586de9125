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


def explain(stage: Stage, name: str, *words: str) -> Any:  # noqa: ANN401  # what is explained, in JSON
    told = stage.run("explain", name, "-C", ".", "--json", *words).json
    assert told["stack"] == "demo"
    return told["explanations"]


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
    (told,) = explain(stage, "a")
    stage.around = watch
    assert stage.apply().status == 0

    assert called == [(call["method"], call["path"]) for call in told["calls"]]
    assert [call["life"] for call in told["calls"]] == [{"ttl": "12h"}, {"ttl": "1h"}]


def test_the_turns_come_true(stage: Stage) -> None:
    """At each moment that explain lists, plan decides what explain foresaw."""
    stage.write(A, a=LONG)
    stage.apply()
    (told,) = explain(stage, "a")

    assert [flip["action"] for flip in told["flips"]] == ["refresh", "create"]
    for flip in told["flips"]:
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
    (told,) = explain(stage, "a")
    record = stage.state()["caches"]["a"]

    assert told["declared_at"].endswith("ctxprov.yaml:5:3")
    assert told["recorded"]["digest"] == record["digest"] != told["desired"]["digest"]
    assert told["recorded"]["id"] == told["live"]["id"] == record["id"]
    assert told["live"]["digest"] is None
    assert told["row"] == OUTDATED.sentence
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
    told = stage.run("explain", "a", "-C", ".")

    assert told.status == 0
    assert told.out.startswith("+ a: create\nNot there yet.\n")
    assert "POST cachedContents ttl=43200s (17 kB, ~4.3k tokens)" in told.out
    assert KEY not in told.out
    assert SECRET not in told.out
    (later,) = explain(stage, "a", "--at", "2030-01-01T00:00:00Z")
    assert later["at"] == "2030-01-01T00:00:00Z"


def test_the_money_is_that_of_the_plan(stage: Stage) -> None:
    """An explanation prices its change as plan does, and says so in words."""
    stage.write(A, a=LONG)
    (planned,) = stage.plan()["changes"]
    (told,) = explain(stage, "a")

    assert told["cost"] == planned["cost"]
    assert "Rent of the next 30 days: ~$" in stage.run("explain", "a", "-C", ".").out
