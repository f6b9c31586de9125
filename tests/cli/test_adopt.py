"""Whose a live cache is: by record, by label, by `adopt:`, and never by the reported model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import httpx
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, HEAD, KEY, LONG, Stage

TWO = f"{HEAD}environments:\n  dev:\n  prod:\n"


def by_hand(text: str, **fields: str) -> str:
    """The id of a cache that is made without ctxprov."""
    body = {
        "model": "models/gemini-3.8-flash",
        "ttl": "7200s",
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        **fields,
    }
    url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/cachedContents"
    made = httpx.post(url, json=body, headers={"x-goog-api-key": KEY}).raise_for_status()
    name: str = made.json()["name"]
    return name


def adopting(claim: str) -> str:
    return f"a: {{{GEMINI}, content: a.md, adopt: {claim}}}"


def mark(stage: Stage) -> str:
    """The first digits of the digest of the content that is declared now."""
    (after,) = [c["after"]["digest"] for c in stage.plan()["changes"] if c["name"] == "a"]
    return str(after)[:16]


def test_what_rests_and_can_be_done(stage: Stage) -> None:
    """A claim that rests is performed once the cache is free, and no plan warns of it then."""
    stage.write(adopting(by_hand(LONG)), head=TWO, a=LONG)
    stage.apply("--env", "dev")
    stage.apply("--env", "prod")
    assert "could not be done: a" in stage.run("plan", ".", "--env", "prod").out
    stage.run("destroy", ".", "--env", "dev", "--auto-approve")

    result = stage.run("plan", ".", "--env", "prod").out

    assert "1 to create" in result
    assert "could not be done" not in result
    assert stage.apply("--env", "prod").status == 0
    assert "rested" not in json.loads((stage.root / "state" / "demo.prod.json").read_text())


def test_another_stack(stage: Stage) -> None:
    """What carries the label of another stack is not adopted by a claim of a manifest."""
    theirs = by_hand(LONG, displayName="ctxprov:theirs/a@0123456789abcdef")
    stage.write(adopting(theirs), a=LONG)

    done = stage.apply()

    assert done.status == 3
    assert "belongs to the stack theirs" in done.out


def test_a_claim_for_one_content(stage: Stage) -> None:
    """After a lost state a run takes the new content's own cache, not the old one by its id."""
    old = by_hand(LONG)
    stage.write(adopting(old), a=LONG)
    bare = stage.run("plan", ".")
    pinned = f"{old}@{mark(stage)}"
    assert f"writeadopt:{pinned}" in "".join(bare.out.split())
    assert pinned in bare.err
    stage.write(adopting(pinned), a=LONG)
    assert stage.apply().status == 0
    stage.write(adopting(pinned), a=LONG + "edited")
    assert stage.apply().status == 0
    new = stage.state()["caches"]["a"]["id"]
    stage.state_file.unlink()

    done = stage.apply()

    assert done.status == 0
    assert stage.state()["caches"]["a"]["id"] == new
    assert "adopt is ignored" in done.err
    assert stage.handles()["a"]["handle"]["cache_name"] == new
    assert stage.count("create") == 2


def test_other_content_by_the_count(stage: Stage) -> None:
    """A cache of which the provider counts other tokens than of the content is not adopted."""
    stage.write(adopting(by_hand(LONG)), a=LONG + LONG)

    done = stage.run("plan", ".", "--count-tokens")

    assert done.status == 3
    assert "has other content: the provider counts" in done.out


def echoing(model: str) -> Callable[[Call, CarryOut], Any]:
    """A server that reports another model than it was asked for."""

    async def around(call: Call, carry_out: CarryOut) -> Response:
        del call
        answer = await carry_out()
        document = json.loads(bytes(answer.body))
        for cache in (document, *document.get("cachedContents", ())):
            if "name" in cache:
                cache["model"] = f"models/{model}"
        return Response(json.dumps(document), status_code=answer.status_code)

    return around


def test_another_reported_model(stage: Stage) -> None:
    """A lost state finds its cache by the label alone; the reported model is a warning."""
    stage.around = echoing("gemini-3.7-flash")
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    assert stage.apply().status == 0
    stage.state_file.unlink()

    done = stage.apply()

    assert done.status == 0
    assert stage.count("create") == 1
    assert "reports gemini-3.7-flash as the model" in done.err
    assert stage.changes()["a"] == ("keep", "current")


def test_a_lost_answer_of_another_model(stage: Stage) -> None:
    """A create whose answer was lost is recognised by its label under another model too."""
    echo = echoing("gemini-3.7-flash")
    lost: list[Call] = []

    async def around(call: Call, carry_out: CarryOut) -> Response:
        answer: Response = await echo(call, carry_out)
        if call.operation == "create" and not lost:
            lost.append(call)
            return Response(status_code=503)
        return answer

    stage.around = around
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)

    assert stage.apply().status == 0
    assert stage.count("create") == 1
    assert len(stage.live()) == 1
