"""Time passes between a review and its apply, and while no schedule runs: nothing else happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from provisioner import runtime
from tests.cli.cli_harness import GEMINI, LONG, Stage

HOURS = timedelta(hours=1)
A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage, where `ahead` moves the clock of everybody."""
    now = replace(runtime.SYSTEM, now=lambda: datetime.now(UTC) + stage.ahead)
    monkeypatch.setattr(runtime, "SYSTEM", now)
    return stage


def test_reviewed_and_applied_later(stage: Stage) -> None:
    """
    What was approved goes through although time has passed; one more edit is left undone.

    Made at 2:30, planned at 10:00, applied at 11:30: meanwhile two refreshes fall due, and one
    of two edited caches expires.
    """
    edited = f"c: {{{GEMINI}, content: c.md}}".replace("12h", "8h")
    texts = {name: LONG + name for name in "abcd"}
    stage.write(A, B, edited, f"d: {{{GEMINI}, content: d.md}}", **texts)
    stage.apply()
    stage.ahead = 7.5 * HOURS
    stage.write(A, B, edited, c="edited", a=texts["a"], b=texts["b"])
    reviewed = stage.changes("--out", str(file := stage.root / "plan.json"))
    stage.ahead = 9 * HOURS
    late = stage.changes()

    assert {name: (reviewed[name], late[name]) for name in "abcd"} == {
        "a": (("keep", "current"), ("refresh", "expiring")),
        "b": (("keep", "current"), ("refresh", "expiring")),
        "c": (("replace", "content"), ("create", "content")),
        "d": (("retire", "undeclared"), ("retire", "undeclared")),
    }
    before = stage.state()["caches"]["b"]
    (stage.root / "b.md").write_text("edited as well")
    refused = stage.run("apply", ".", "--plan", str(file))
    assert refused.status == 3
    assert "b: is not as it was approved" in refused.err
    assert not any(f"{name}: " in refused.err for name in "acd")
    after = stage.state()["caches"]["b"]
    assert (before["id"], before["digest"]) == (after["id"], after["digest"])
    assert before["expires_at"] < after["expires_at"]
    assert [edit["name"] for edit in stage.plan()["edits"]] == ["b"]

    (stage.root / "b.md").write_text(texts["b"])
    assert stage.run("apply", ".", "--plan", str(file)).status == 0
    assert (stage.count("create"), stage.count("patch"), stage.count("delete")) == (5, 3, 0)
    assert stage.plan()["edits"] == []


def test_eight_hours_without_a_schedule(stage: Stage) -> None:
    """
    One keepalive makes warm again everything that was warm, and nothing else happens.

    Around the dead: one that lives on, one that was to rest, one that is retiring, an annotation,
    and edits of every kind that wait for their review.
    """
    six = GEMINI.replace("12h", "6h")
    caches = [f"{name}: {{{six}, content: {name}.md}}" for name in ("a", "b", "gone")]
    rest = [
        f"long: {{{GEMINI.replace('12h', '3d')}, content: b.md}}",
        f"once: {{{six}, keep: once, content: b.md}}",
        NOTE,
    ]
    stage.write(*caches, *rest, a="old", b=LONG, gone=LONG + "gone", n=LONG)
    stage.apply()
    stage.write(*caches, *rest, a=LONG + "a")
    stage.apply()
    before = stage.state()
    assert before["retiring"]
    made = stage.count("create", "patch", "delete")
    stage.ahead = 8 * HOURS
    waiting = [
        caches[0],
        caches[1].replace("6h", "9h"),
        f"renamed: {{{six}, content: gone.md}}",
        rest[0].replace("content", "refresh_before: 5h, content"),
        *rest[1:],
    ]
    stage.write(*waiting, n=LONG + "edited")
    edits = stage.plan()["fingerprint"]

    result = stage.run("keepalive", ".")

    assert result.status == 0
    assert "5 edits wait for a review and apply: b, gone, long, n, renamed." in result.out
    after, live = stage.state(), stage.live()
    names, fresh = ("a", "b", "gone", "long"), ("a", "b", "gone")
    assert {after["caches"][name]["id"] for name in names} == set(live)
    assert {one["name"] for one in live.values()} == set(names)
    for name in fresh:
        was, now = before["caches"][name], after["caches"][name]
        assert was["id"] != now["id"]
        assert [was[key] for key in ("digest", "life")] == [now[key] for key in ("digest", "life")]
    assert [after["caches"][name] for name in ("long", "once", "n")] == [
        before["caches"][name] for name in ("long", "once", "n")
    ]
    assert after["retiring"] == {}
    published = stage.handles()
    assert {published[name]["handle"]["cache_name"] for name in names} == set(live)
    assert stage.count("create", "patch", "delete") == made + len(fresh)
    assert stage.plan()["fingerprint"] == edits

    assert stage.run("keepalive", ".").status == 0
    assert stage.count("create", "patch", "delete") == made + len(fresh)


def test_a_gap(stage: Stage) -> None:
    """Keepalive reports a dead cache with edited content as a gap until the content is back."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    stage.ahead = 13 * HOURS
    stage.write(A, B, b="edited")

    result = stage.run("keepalive", ".")

    assert result.status == 1
    assert "! b: cannot be made again" in result.out
    assert len(stage.live()) == 1
    stage.write(A, B, b=LONG + "b")
    assert stage.run("keepalive", ".").status == 0
    assert len(stage.live()) == 2


def test_a_refresh_that_was_never_saved(stage: Stage) -> None:
    """A run publishes the longer life that a killed run gave a cache."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.ahead = 9 * HOURS
    saved = {path: path.read_bytes() for path in (stage.state_file, stage.root / "handles.json")}
    assert stage.run("keepalive", ".").status == 0
    for path, content in saved.items():
        path.write_bytes(content)
    stage.ahead = 12.5 * HOURS

    assert stage.run("keepalive", ".").status == 0

    assert (stage.count("create"), stage.count("patch")) == (1, 1)
    ends = stage.handles()["a"]["expires_at"]
    assert ends == stage.state()["caches"]["a"]["expires_at"]
    assert datetime.fromisoformat(ends) > runtime.SYSTEM.now() + 8 * HOURS


def test_a_handle_that_is_dead(stage: Stage) -> None:
    """A deleted cache that cannot be created again yet loses its handle."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    stage.delete(stage.state()["caches"]["a"]["id"])
    stage.write(A, B, a="edited", b=LONG + "b")

    assert stage.run("keepalive", ".").status == 1
    assert list(stage.handles()) == ["b"]


def test_a_refused_run_writes_nothing(stage: Stage) -> None:
    """A run without approval leaves the state as it is, even where it is stale."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.ahead = 9 * HOURS
    saved = stage.state_file.read_bytes()
    assert stage.run("keepalive", ".").status == 0
    stage.state_file.write_bytes(saved)
    stage.write(A, B, a=LONG, b=LONG + "b")

    assert stage.run("apply", ".").status == 3
    assert stage.state_file.read_bytes() == saved
    assert stage.apply().status == 0
    assert (
        stage.state()["caches"]["a"]["expires_at"] > json.loads(saved)["caches"]["a"]["expires_at"]
    )
