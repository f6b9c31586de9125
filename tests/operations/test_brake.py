"""Projects that vanish, and lists that lie: what is made again, when, and how often."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse, Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.emulator.errors import Refusal
from tests.cli.cli_harness import GEMINI, KEY, LONG, Stage

MINUTES = timedelta(minutes=1)
GONE = Refusal(403, "CachedContent not found (or permission denied)")


def warm(stage: Stage, count: int) -> list[str]:
    """A stack of so many live caches; their ids."""
    names = [f"c{number:02}" for number in range(count)]
    stage.write(
        *(f"{name}: {{{GEMINI}, content: {name}.md}}" for name in names),
        **{name: f"{LONG} {name}" for name in names},
    )
    assert stage.apply().status == 0
    return [one["id"] for one in stage.state()["caches"].values()]


async def blind(call: Call, carry_out: CarryOut) -> Response:
    """A project that shows nothing, and makes what it is asked for all the same."""
    match call.operation:
        case "list":
            return JSONResponse({})
        case "get" | "patch":
            raise GONE
        case _:
            return await carry_out()


def test_a_blind_project(stage: Stage) -> None:
    """Nothing is made at first sight, one cache at the second, and no more until a person says."""
    warm(stage, 4)
    stage.around = blind

    unnoted = stage.run("plan", ".").out
    assert "a run that sees this notes it" in " ".join(unnoted.split())
    first = stage.apply()
    shown = stage.run("plan", ".")
    assert re.search(r"a run from \S+ on makes one", " ".join(shown.out.split()))
    stage.ahead = 5 * MINUTES
    soon = stage.run("keepalive", ".")
    assert (first.status, soon.status, shown.status) == (3, 3, 3)
    assert "4 of 4 recorded caches" in first.out
    assert "4 of 4 recorded caches" in shown.out
    explained = stage.run("explain", "c00", "-C", ".").out
    assert "c00: blocked" in explained
    assert stage.count("create") == 4
    assert stage.handles() == {}

    stage.ahead = 11 * MINUTES
    second = stage.run("keepalive", ".")
    assert second.status == 3
    assert stage.count("create") == 5
    assert "does not show" in second.out

    stage.ahead = 60 * MINUTES
    third = stage.run("keepalive", ".")
    assert third.status == 3
    assert "--accept-missing" in third.out
    assert stage.count("create") == 5

    stage.around = None
    assert stage.run("keepalive", ".").status == 0
    assert stage.state()["disappeared"]["gemini"]["since"] is None


def test_all_deleted_by_hand(stage: Stage) -> None:
    """Caches that really are gone are made again by a later run, once each."""
    for id_ in warm(stage, 4):
        stage.delete(id_)

    assert stage.apply().status == 3
    braked = stage.run("next", ".", "--json").json
    assert 570 < braked["in_seconds"] <= 600, "next names the second look, not the next refresh"
    assert braked["covered_until"] is None
    stage.ahead = 11 * MINUTES
    assert stage.apply().status == 0
    assert stage.run("next", ".", "--json").json["covered_until"]

    assert stage.count("create") == 8
    assert len(stage.live()) == 4
    assert stage.run("drift", ".").status == 0


def test_a_person_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """--accept-missing, or the project's fingerprint in the environment, makes them at once."""
    for id_ in warm(stage, 2):
        stage.delete(id_)
    assert stage.apply("--accept-missing").status == 0
    assert stage.count("create") == 4

    for id_ in stage.live():
        stage.delete(id_)
    monkeypatch.setenv("CTXPROV_ACCEPT_MISSING", "f" * 16)
    assert stage.apply().status == 3
    (fingerprint,) = stage.state()["providers"]["gemini"]["keys"]
    monkeypatch.setenv("CTXPROV_ACCEPT_MISSING", fingerprint)
    assert stage.apply().status == 0
    assert stage.count("create") == 6
    assert KEY not in fingerprint


def test_the_rest_goes_on(stage: Stage) -> None:
    """What shows is refreshed, and what was edited is made, while the rest is held back."""
    ids = warm(stage, 6)
    for id_ in ids[:4]:
        stage.delete(id_)
    stage.ahead = 9 * 60 * MINUTES
    (stage.root / "c00.md").write_text(LONG + " edited")

    done = stage.apply()

    assert done.status == 3
    assert stage.count("create") == 7
    assert stage.count("patch") == 2
    assert set(stage.handles()) == {"c00", "c04", "c05"}


def test_a_braked_plan_is_read(stage: Stage) -> None:
    """What is held back is in every format, and the plan can be rendered and approved."""
    for id_ in warm(stage, 2):
        stage.delete(id_)
    file = stage.root / "plan.json"

    done = stage.run("plan", ".", "--out", f"json={file}", "--out", "markdown=-")
    rendered = stage.run("render", str(file), "--out", "markdown=-")
    applied = stage.run("apply", ".", "--plan", str(file))

    assert (done.status, rendered.status, applied.status) == (3, 0, 3)
    assert "2 of 2 recorded caches" in rendered.out
    assert stage.count("create") == 2


def test_a_selection_lifts_no_brake(stage: Stage) -> None:
    """The whole stack is counted, although a part of the plan is asked for."""
    for id_ in warm(stage, 6)[:3]:
        stage.delete(id_)

    assert stage.apply("--target", "c00").status == 3
    assert stage.count("create") == 6


def test_destroy_is_not_braked(stage: Stage) -> None:
    """A stack whose caches are all gone is forgotten by destroy."""
    for id_ in warm(stage, 2):
        stage.delete(id_)

    assert stage.run("destroy", ".", "--auto-approve").status == 0
    assert stage.state()["caches"] == {}


def test_a_list_that_lies(stage: Stage) -> None:
    """Where one of many unlisted caches answers to its name, none of them counts as missing."""
    warm(stage, 24)

    async def half(call: Call, carry_out: CarryOut) -> Response:
        return JSONResponse({}) if call.operation == "list" else await carry_out()

    stage.around = half
    done = stage.apply()

    assert done.status == 0
    assert stage.count("create") == 24
    assert stage.count("get") == 20
    assert "its list is not whole" in done.err
    assert len(stage.handles()) == 24
