"""What a run does of what it was asked, and what it leaves undone."""

from __future__ import annotations

import json

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.operations.test_approvals import reviewed

A, B, C = (f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc")
MORE = "version: 1\nstack: demo\n"
PUBLISH = "publish: handles.json\n"
SETTINGS = {
    "publish": "publish: other.json\n",
    "limits": f"{PUBLISH}limits: {{delete: {{count: 9}}}}\n",
    "key_env": f"{PUBLISH}providers: {{eu: {{type: gemini, key_env: GEMINI_API_KEY_EU}}}}\n",
    "state": f"{PUBLISH}state: elsewhere\n",
}


def test_what_is_left_of_an_approval(stage: Stage) -> None:
    """After a failure half way the same fingerprint approves the rest, and nothing more."""
    stage.write(A, B, a=LONG, b=LONG)
    fingerprint = stage.plan()["fingerprint"]

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create" and "/b@" in str(call.body):
            return Response(status_code=400, content=b"{}")
        return await carry_out()

    stage.around = refuse
    assert stage.run("apply", ".", "--expect", fingerprint).status == 1
    assert [*stage.state()["caches"]] == ["a"]
    stage.around = None
    stage.write(A, B, C, c=LONG)
    assert stage.plan()["fingerprint"] != fingerprint
    assert stage.run("apply", ".", "--expect", "0" * 64).status == 3  # approves nothing

    result = stage.run("apply", ".", "--expect", fingerprint)

    assert result.status == 3
    assert "c: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["a", "b"]
    assert "approved" not in stage.state()


def test_an_edit_that_is_not_approved(stage: Stage) -> None:
    """It is left undone, while its old cache is refreshed as if the edit had not been made."""
    stage.write(A, B, a=LONG, b=LONG)
    stage.apply()
    file = reviewed(stage)
    before = stage.state()["caches"]
    stage.write(A, b=LONG + "b", a=LONG + "a")

    result = stage.run("apply", ".", "--plan", str(file))

    assert result.status == 3
    assert "a: is not as it was approved" in result.err
    assert "b: is not among the approved edits" in result.err
    assert stage.state()["caches"] == before
    assert {edit["name"] for edit in stage.plan()["edits"]} == {"a", "b"}
    assert "as declared" not in result.out
    assert "Every recorded cache is alive" in result.out


def test_a_move_is_approved_as_one(stage: Stage) -> None:
    """Names that `moved` joins go together: the record moves with its approval, or not at all."""
    stage.write(A, C, a=LONG, c=LONG + "c")
    stage.apply()
    stage.write(B.replace("b.md", "a.md"), C, head=f"{HEAD}moved: [{{from: a, to: b}}]\n")
    file = reviewed(stage)
    stage.write(B.replace("b.md", "a.md"), C, c=LONG, head=f"{HEAD}moved: [{{from: a, to: b}}]\n")

    assert stage.run("apply", ".", "--expect", "0" * 64).status == 3
    assert [*stage.state()["caches"]] == ["a", "c"]
    assert stage.run("apply", ".", "--plan", str(file)).status == 3
    assert [*stage.state()["caches"]] == ["b", "c"]

    assert (stage.count("create"), len(stage.live())) == (2, 2)


def test_a_dead_cache_of_a_move_that_is_not_approved(stage: Stage) -> None:
    """Its content is at hand under the new name, so it is made again under the old one."""
    stage.write(A, C, a=LONG, c=LONG + "c")
    stage.apply()
    stage.delete(stage.state()["caches"]["a"]["id"])
    stage.write(B.replace("b.md", "a.md"), C, head=f"{HEAD}moved: [{{from: a, to: b}}]\n")

    result = stage.run("apply", ".", "--expect", "0" * 64)

    assert result.status == 3
    assert "b: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["a", "c"]
    assert len(stage.live()) == 2


def test_what_is_found_until_another_edit_is_left_undone(stage: Stage) -> None:
    """A cache that stays with its new name is not found under the old one: that needs approval."""
    stage.write(A, C, a=LONG, c=LONG + "c")
    stage.apply()
    stage.write(B.replace("b.md", "a.md"), C, head=f"{HEAD}moved: [{{from: a, to: b}}]\n")
    stage.apply()
    stage.write(A, C)

    result = stage.run("apply", ".", "--expect", "0" * 64)

    assert result.status == 3
    assert "a: is not among the approved edits" in result.err
    assert "b: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["b", "c"]
    assert stage.count("create") == 2


def test_an_edit_that_rests(stage: Stage) -> None:
    """A removal that protection forbids is refused once; later runs warn, and other edits go on."""
    guarded = A.replace("ttl: 12h", "ttl: 12h, protect: true")
    stage.write(guarded, a=LONG)
    stage.apply()
    stage.write(B, b=LONG)
    assert stage.plan()["edits"][0]["name"] == "a"

    assert stage.apply().status == 3
    resting = stage.plan()
    assert (resting["edits"], [edit["name"] for edit in resting["rested"]]) == ([], ["a"])
    assert "could not be done: a" in stage.run("plan", ".").out
    assert stage.apply().status == 0
    assert "waits for a review" not in stage.run("keepalive", ".").out
    file = reviewed(stage)
    assert stage.run("render", str(file)).status == 0

    stage.write(A, B)
    assert stage.plan()["rested"] == []
    assert stage.apply().status == 0
    stage.write(B)
    assert stage.apply().status == 0
    assert [*stage.state()["caches"]] == ["b"]
    assert "rested" not in stage.state()


def test_settings_are_recorded(stage: Stage) -> None:
    """A schedule uses the settings of the last apply, and names what waits for a review."""
    stage.write(A, head=MORE + PUBLISH, a=LONG)
    stage.apply()
    approved = stage.plan()["fingerprint"]
    stage.write(A, head=MORE + SETTINGS["publish"])
    (stage.root / "handles.json").unlink()

    result = stage.run("keepalive", ".")
    assert result.status == 0
    assert "The setting publish waits for a review and apply: handles.json holds" in result.out
    assert (stage.root / "handles.json").is_file()
    refused = stage.run("apply", ".", "--expect", approved)
    assert refused.status == 3
    assert "setting publish: is not among the approved edits" in refused.err
    assert not (stage.root / "other.json").exists()

    assert stage.run("apply", ".", "--expect", stage.plan()["fingerprint"]).status == 0
    assert (stage.root / "other.json").is_file()
    assert stage.plan()["settings"] == []


def test_a_key_that_is_not_approved(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project is asked with the key that is on record, until another one is approved."""
    entry = "a: {provider: eu, model: gemini-3.8-flash, ttl: 12h, content: a.md}"
    head = "version: 1\nstack: demo\nproviders: {eu: {type: gemini, key_env: GEMINI_API_KEY_EU}}\n"
    stage.write(entry, head=head, a=LONG)
    monkeypatch.setenv("GEMINI_API_KEY_EU", "AIza-recorded")
    stage.apply()
    approved = stage.plan()["fingerprint"]
    keys: list[str | None] = []

    async def listen(call: Call, carry_out: CarryOut) -> Response:
        keys.append(call.headers.get("x-goog-api-key"))
        return await carry_out()

    stage.around = listen
    stage.write(entry, head=head.replace("_EU}", "_NEW}"))
    monkeypatch.setenv("GEMINI_API_KEY_NEW", "AIza-not-approved")

    assert stage.run("keepalive", ".").status == 0
    assert stage.run("drift", ".").status == 0
    refused = stage.run("apply", ".", "--expect", approved)
    assert refused.status == 3
    assert "setting providers.eu: is not among the approved edits" in refused.err
    assert set(keys) == {"AIza-recorded"}
    assert stage.apply().status == 0
    assert keys[-1] == "AIza-not-approved"


def test_settings_of_an_older_state(stage: Stage) -> None:
    """A state without settings takes those of the manifest over, and that is no edit."""
    stage.write(A, head=MORE + PUBLISH, a=LONG)
    stage.apply()
    state = stage.state()
    for key in ("stack_settings", "last_edit", "approved", "rested"):
        state.pop(key, None)
    stage.state_file.write_text(json.dumps(state))
    stage.write(A, head=MORE + SETTINGS["limits"])

    assert stage.plan()["settings"] == []
    assert stage.run("keepalive", ".").status == 0
    assert "stack_settings" not in stage.state()
    assert stage.run("apply", ".", "--expect", stage.plan()["fingerprint"]).status == 0
    assert stage.state()["stack_settings"]["limits"]["delete"]["count"] == "9"
