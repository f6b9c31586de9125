"""The life of caches, as a person at a terminal sees it."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import httpx
import jsonschema
import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.files import schema_bytes
from tests.cli.cli_harness import GEMINI, KEY, LONG, SECRET, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"
HOURS = timedelta(hours=1)


def test_from_nothing_to_nothing_to_do(stage: Stage) -> None:
    """Plan, apply, plan again: caches are live, recorded and published, and nothing is left."""
    stage.write(A, B, NOTE, a=LONG, b=LONG + "b", n=LONG)

    assert stage.changes() == {
        "a": ("create", "new"),
        "b": ("create", "new"),
        "n": ("annotate", "new"),
    }
    applied = stage.apply()
    assert applied.status == 0
    assert "Applied: 3 done, 0 failed, 0 not attempted." in applied.out
    again = stage.run("plan", ".")
    assert "No changes." in again.out
    assert "next refresh is due" in again.out
    ids = {stage.state()["caches"][name]["id"] for name in ("a", "b")}
    assert ids == set(stage.live())
    assert {entry["handle"].get("cache_name") for entry in stage.handles().values()} == {
        *ids,
        None,
    }


def test_the_documents_have_their_shapes(stage: Stage) -> None:
    """Plan, state and handles are what their schemas say."""
    stage.write(A, NOTE, a=LONG, n=LONG)
    plan = stage.plan()
    stage.apply()
    handles = json.loads((stage.root / "handles.json").read_text())

    for name, document in (("plan", plan), ("state", stage.state()), ("handles", handles)):
        jsonschema.validate(document, json.loads(schema_bytes(name)))


def test_an_edit_replaces(stage: Stage) -> None:
    """When the old cache is retired, state and handles on disk name the new one already."""
    stage.write(A, a=LONG)
    stage.apply()
    (old,) = stage.live()
    seen: list[tuple[str, str]] = []

    async def watch(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "patch":
            recorded = stage.state()["caches"]["a"]["id"]
            seen.append((recorded, stage.handles()["a"]["handle"]["cache_name"]))
        return await carry_out()

    stage.write(A, a=LONG * 2)
    text = stage.run("plan", ".").out
    assert "± a" in text
    assert "content changed" in text
    assert "17 kB → 34 kB" in text
    stage.around = watch
    assert stage.apply().status == 0

    new = stage.state()["caches"]["a"]["id"]
    assert seen == [(new, new)]
    assert new != old
    assert stage.handles()["a"]["previous"]["handle"]["cache_name"] == old
    assert old in stage.state()["retiring"]


def test_a_revert_adopts(stage: Stage) -> None:
    """An edit that is taken back within the hour takes the old cache back."""
    stage.write(A, a=LONG)
    stage.apply()
    (old,) = stage.live()
    stage.write(A, a=LONG + "more")
    stage.apply()
    stage.write(A, a=LONG)

    assert stage.changes()["a"] == ("adopt", "content")
    stage.apply()

    assert stage.state()["caches"]["a"]["id"] == old
    assert stage.count("create") == 2


def test_an_edit_stays_one_overnight(stage: Stage) -> None:
    """Whether the old cache still lives does not change what was edited."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.write(A, a=LONG + "more")
    warm = stage.plan()
    stage.ahead = 13 * HOURS
    cold = stage.plan()

    assert [(c["action"], c["reason"], c["cause"]) for c in cold["changes"]] == [
        ("create", "content", "edit")
    ]
    assert cold["fingerprint"] == warm["fingerprint"]


def test_a_lost_state(stage: Stage) -> None:
    """Without its state a stack adopts what is live and creates nothing."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    before = set(stage.live())
    stage.state_file.unlink()

    assert stage.changes() == {"a": ("adopt", "found"), "b": ("adopt", "found")}
    stage.apply()

    assert set(stage.live()) == before
    assert stage.count("create") == 2
    assert stage.count("delete") == 0


def test_deleted_behind_our_back(stage: Stage) -> None:
    """A cache that was deleted outside of ctxprov is missing, and is made again."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    stage.delete(stage.state()["caches"]["a"]["id"])

    assert stage.changes()["a"] == ("create", "missing")
    assert stage.run("drift", ".").status == 2
    stage.apply()
    assert stage.run("drift", ".").status == 0


def _url() -> str:
    return os.environ["GOOGLE_GEMINI_BASE_URL"]


def test_expired(stage: Stage) -> None:
    """A cache whose time has passed has expired, which is no drift, and is made again."""
    stage.ahead = -13 * HOURS
    stage.write(A, a=LONG)
    stage.apply()
    stage.ahead = timedelta()

    assert stage.changes()["a"] == ("create", "expired")
    assert stage.run("drift", ".").status == 0


def test_expiring(stage: Stage) -> None:
    """Within its window a cache is refreshed, by one PATCH."""
    stage.ahead = -9 * HOURS
    stage.write(A, a=LONG)
    stage.apply()
    stage.ahead = timedelta()

    assert stage.changes()["a"] == ("refresh", "expiring")
    stage.apply()

    assert stage.count("patch") == 1
    assert stage.changes()["a"] == ("keep", "current")


def test_another_ttl(stage: Stage) -> None:
    """A change of ttl alone is exactly one PATCH."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.write(A.replace("12h", "6h"), a=LONG)

    assert stage.changes()["a"] == ("refresh", "life")
    stage.apply()

    assert (stage.count("patch"), stage.count("create")) == (1, 1)
    assert stage.state()["caches"]["a"]["life"] == {"ttl": "6h"}


def test_removed(stage: Stage) -> None:
    """An entry that is no longer declared is retired, and its handle is withdrawn first."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    id_ = stage.state()["caches"]["b"]["id"]
    stage.write(A, a=LONG)

    assert stage.changes()["b"] == ("retire", "undeclared")
    stage.apply()

    assert set(stage.handles()) == {"a"}
    assert id_ in stage.state()["retiring"]
    assert set(stage.state()["caches"]) == {"a"}


def test_protected(stage: Stage) -> None:
    """Removing what is protected is refused, and everything else is still done."""
    guarded = A.replace("content", "protect: true, content")
    stage.write(guarded, a=LONG)
    stage.apply()
    stage.write(B, b=LONG)
    result = stage.apply()

    assert result.status == 3
    assert "protected" in result.out
    assert set(stage.state()["caches"]) == {"a", "b"}


def test_adopting(stage: Stage) -> None:
    """A cache that was made by hand is taken over, and nothing is created."""
    body = {"model": "models/gemini-3.8-flash", "ttl": "600s", "contents": [_user(LONG)]}
    made = httpx.post(
        f"{_url()}/v1beta/cachedContents", json=body, headers={"x-goog-api-key": KEY}
    ).json()
    stage.write(A.replace("content", f"adopt: {made['name']}, content"), a=LONG)

    assert stage.changes()["a"] == ("adopt", "imported")
    stage.apply()

    assert stage.count("create") == 1
    assert stage.state()["caches"]["a"]["id"] == made["name"]
    assert stage.changes()["a"] == ("keep", "current")


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


@pytest.mark.heavy
def test_three_requests_for_2500_caches(stage: Stage) -> None:
    """Seeing the live side of a large project takes a request per thousand caches."""
    body = {"model": "models/gemini-3.8-flash", "contents": [_user("word " * 10)]}
    with httpx.Client(headers={"x-goog-api-key": KEY}) as client:
        for _ in range(2499):
            client.post(f"{_url()}/v1beta/cachedContents", json=body)
    stage.write(A, a=LONG)
    stage.apply()
    before = stage.count("list")

    assert stage.changes()["a"] == ("keep", "current")
    assert stage.count("list") - before == 3
    assert stage.count("get") == 0


def test_a_lost_answer(stage: Stage) -> None:
    """A create whose answer is lost is found by its label, and made only once."""
    lost: list[Call] = []

    async def lose(call: Call, carry_out: CarryOut) -> Response:
        answer = await carry_out()
        if call.operation == "create" and not lost:
            lost.append(call)
            return Response("<html>Bad gateway</html>", 502)
        return answer

    stage.around = lose
    stage.write(A, a=LONG)

    assert stage.apply().status == 0
    assert lost
    assert len(stage.live()) == 1


def test_prune(stage: Stage) -> None:
    """The plan shows a stray; only `--prune` deletes it."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.state_file.unlink()
    stage.write(B, b=LONG + "b")
    stage.apply()

    assert stage.changes()["a"] == ("leave", "stray")
    stage.apply("--prune")

    assert len(stage.live()) == 1


def test_nothing_is_leaked(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Neither content nor key is in any file, plan, log or error."""
    caplog.set_level("DEBUG")
    stage.write(A, NOTE, a=LONG, n=LONG)
    results = [stage.run("plan", ".", "-v"), stage.run("plan", ".", "--json"), stage.apply()]

    async def fail(call: Call, carry_out: CarryOut) -> Response:
        del call, carry_out
        return Response(f'{{"error": {{"message": "no {KEY}", "code": 400}}}}', 400)

    stage.around = fail
    results += [stage.apply("--replace", "a"), stage.run("show", "a", "-C", str(stage.root))]
    texts = [one.out + one.err for one in results] + [caplog.text]
    texts += [p.read_text() for p in stage.root.rglob("*.json")]

    assert results[3].status == 1
    for text in texts:
        assert SECRET.strip() not in text
        assert KEY not in text


def test_keepalive_leaves_edits_alone(stage: Stage) -> None:
    """A schedule refreshes what is recorded while an edit waits for its review."""
    stage.ahead = -9 * HOURS
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    stage.ahead = timedelta()
    stage.write(A, a=LONG + "edited")

    result = stage.run("keepalive", ".")

    assert result.status == 0
    assert "2 edits wait for a review and apply: a, b." in result.out
    assert "Covered until" in result.out
    assert (stage.count("patch"), stage.count("create")) == (2, 2)
