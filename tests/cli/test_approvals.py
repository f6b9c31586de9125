"""What `apply` does with an approval that was given elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.repository import git

A, B, C = (f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc")


def reviewed(stage: Stage, *arguments: str) -> Path:
    """The plan of now, as a file."""
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}", *arguments).status in {0, 3}
    return file


def emptied(plan: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Say that nothing is edited."""
    plan.update(edits=[], fingerprint="0" * 64)


def hidden(plan: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show a replacement as an entry that stays as it is, and declare the new content."""
    (change,) = plan["changes"]
    change.update(section="unchanged", action="keep", reason="current", cause=None, pending=False)
    plan["summary"].update(replace=0, unchanged=1)
    emptied(plan)


@pytest.mark.parametrize("forge", [emptied, hidden, lambda plan: plan.update(more=1)])
def test_one_reader(stage: Stage, forge: Callable[[Any], None]) -> None:
    """apply refuses a plan that render and comment refuse, in the same words, and does nothing."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.write(A, a=LONG + "more")
    file = reviewed(stage)
    plan = json.loads(file.read_text())
    forge(plan)
    file.write_text(json.dumps(plan))

    made = stage.count("create")
    acts, shows, posts = (
        stage.run(*arguments, str(file))
        for arguments in (["apply", ".", "--plan"], ["render"], ["comment"])
    )

    assert (acts.status, shows.status, posts.status) == (1, 1, 1)
    assert acts.err == shows.err == posts.err != ""
    assert stage.count("create") == made


def test_a_plan_of_several_stacks(stage: Stage) -> None:
    """Every stack finds its own plan in the file of several, and a stack without one is refused."""
    folders = [stage.root / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        manifest = f"version: 1\nstack: {folder.name}\ncaches:\n  {A}\n"
        (folder / "ctxprov.yaml").write_text(manifest)
        (folder / "a.md").write_text(LONG)
    file = stage.root / "plan.json"
    assert stage.run("plan", *map(str, folders[:2]), "--out", f"json={file}").status == 0

    assert stage.run("apply", *map(str, folders[:2]), "--plan", str(file)).status == 0
    assert stage.count("create") == 2
    refused = stage.run("apply", str(folders[2]), "--plan", str(file))
    assert refused.status == 3
    assert "is a plan of the stack one, two, not of three" in refused.err


FIRST = ("version", "stack", "serial", "run", "providers", "caches", "retiring")
"""The keys of a state of the first version."""
MORE = "version: 1\nstack: demo\n"
PUBLISH = "publish: handles.json\n"
SETTINGS = {
    "publish": "publish: other.json\n",
    "limits": f"{PUBLISH}limits: {{delete: {{count: 9}}}}\n",
    "key_env": f"{PUBLISH}providers: {{eu: {{type: gemini, key_env: GEMINI_API_KEY_EU}}}}\n",
    "state": f"{PUBLISH}state: elsewhere\n",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_edits(stage: Stage, setting: str) -> None:
    """A request that changes the settings of the stack is listed and planned as an edit."""
    stage.write(A, head=MORE + PUBLISH, a=LONG)
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    git(stage.root, "add", ".")
    git(stage.root, "commit", "--quiet", "--message", "base")
    before = stage.plan("--base", "main")
    assert before["settings"] == []
    assert stage.run("changed", ".", "--base", "main").out == ""

    stage.write(A, head=MORE + SETTINGS[setting])

    after = stage.plan("--base", "main")
    assert len(after["settings"]) == 1
    assert after["edits"] == []
    assert after["fingerprint"] != before["fingerprint"]
    assert stage.run("changed", ".", "--base", "main").out == ".\n"
    assert stage.run("plan", ".", "--base", "main", "--detailed-exitcode").status == 2


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


def commit(root: Path, message: str, at: str) -> None:
    """Commit the manifest and its content at a moment of its own."""
    git(root, "add", "ctxprov.yaml", "*.md")
    git(root, "commit", "--quiet", "--message", message, date=at)


@pytest.mark.parametrize("shallow", [False, True])
def test_an_older_commit(stage: Stage, *, shallow: bool) -> None:
    """The job of an older commit is refused before anything is done, unless that is asked for."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    commit(stage.root, "old", "2026-01-01T00:00:00Z")
    stage.apply()
    stage.write(A, a=LONG + "more")
    commit(stage.root, "new", "2026-01-02T00:00:00Z")
    stage.apply()
    state = stage.state_file.read_bytes()
    git(stage.root, "checkout", "--quiet", "HEAD~1")
    if shallow:
        clone = stage.root / "clone"
        git(stage.root, "branch", "old")
        git(
            stage.root,
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=old",
            stage.root.as_uri(),
            str(clone),
        )
        stage.root = clone
        (clone / "state").mkdir(exist_ok=True)
        (clone / "state" / "demo.json").write_bytes(state)

    planned = stage.run("plan", ".")
    result = stage.apply()

    assert planned.status == result.status == 3
    assert "is older than" in planned.err
    assert "is older than" in result.err
    assert stage.state_file.read_bytes() == state
    assert stage.run("keepalive", ".").status == 0
    assert stage.apply("--allow-older").status == 0
    assert stage.apply().status == 0


def test_a_file_named_as_a_revision(stage: Stage) -> None:
    """A file named HEAD hides from no run how old its commit is."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    (stage.root / "HEAD").touch()
    commit(stage.root, "one", "2026-01-01T00:00:00Z")
    stage.apply()
    assert stage.state()["last_edit"]["committed_at"].startswith("2026-01-01T00:00:00")


def test_the_newer_of_two_merges_first(stage: Stage) -> None:
    """What the older review approved is performed at the newer commit, and undoes nothing there."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    plans = []
    for day, (caches, text) in enumerate([((A,), ""), ((A,), "older"), ((A, B), "older")], 1):
        stage.write(*caches, a=LONG + text, b=LONG)
        commit(stage.root, "one more", f"2026-01-0{day}T00:00:00Z")
        plans.append(stage.root / f"{day}.json")
        if day == 1:
            stage.apply()
        else:
            stage.run("plan", ".", "--base", "HEAD~1", "--out", f"json={plans[-1]}")
    _, older, newer = plans
    assert stage.run("apply", ".", "--plan", str(newer)).status == 3
    git(stage.root, "checkout", "--quiet", "HEAD~1")
    refused = stage.run("apply", ".", "--plan", str(older))
    assert refused.status == 3
    assert "Apply at the newer commit" in refused.err
    git(stage.root, "checkout", "--quiet", "main")

    assert stage.run("apply", ".", "--plan", str(older)).status == 0

    assert [*stage.state()["caches"]] == ["a", "b"]
    assert (stage.plan()["edits"], stage.count("create")) == ([], 3)


def test_a_commit_of_which_nothing_was_performed(stage: Stage) -> None:
    """A run whose edits all failed is no reason to refuse the older commit."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    commit(stage.root, "old", "2026-01-01T00:00:00Z")
    stage.apply()
    last = stage.state()["last_edit"]
    stage.write(A, B, b=LONG)
    commit(stage.root, "new", "2026-01-02T00:00:00Z")

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            return Response(status_code=400, content=b"{}")
        return await carry_out()

    stage.around = refuse
    assert stage.apply().status == 1
    assert stage.state()["last_edit"] == last


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


def test_a_state_of_the_first_version(stage: Stage) -> None:
    """A state that an earlier ctxprov wrote is read without an edit, and written as of now."""
    stage.write(A, a=LONG)
    stage.apply()
    state = stage.state()
    old = {key: state[key] for key in FIRST}
    stage.state_file.write_text(json.dumps(old))

    assert (stage.plan()["edits"], stage.plan()["settings"]) == ([], [])
    assert stage.apply().status == 0
    assert stage.state()["stack_settings"]["publish"] == "handles.json"
    assert stage.state()["caches"] == old["caches"]


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


def test_a_limit_and_its_edit(stage: Stage) -> None:
    """A limit that a request loosens still holds for the edits of that request."""
    strict = f"{MORE}limits: {{delete: {{count: 0}}}}\n"
    loose = f"{MORE}limits: {{delete: {{count: 9}}}}\n"
    stage.write(A, B, head=strict, a=LONG, b=LONG)
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    commit(stage.root, "base", "2026-01-01T00:00:00Z")
    stage.apply()
    stage.write(A, head=loose)

    for plan in (stage.plan(), stage.plan("--base", "main")):
        assert [(one["limit"], one["most"]) for one in plan["limits"]] == [("delete.count", 0)]
    assert stage.apply().status == 3
    assert stage.apply("--override", "delete").status == 0


def test_a_forged_plan_hides_a_broken_limit(stage: Stage) -> None:
    """Limits are worked out again: only one that the approved plan showed may be passed."""
    strict = f"{MORE}limits: {{delete: {{count: 0}}}}\n"
    stage.write(A, B, head=strict, a=LONG, b=LONG)
    stage.apply()
    stage.write(A, head=strict)
    honest = reviewed(stage)
    plan = json.loads(honest.read_text())
    forged = stage.root / "forged.json"
    forged.write_text(json.dumps({**plan, "limits": []}))

    assert stage.run("apply", ".", "--plan", str(forged)).status == 3
    assert len(stage.state()["caches"]) == 2
    assert stage.run("apply", ".", "--plan", str(honest)).status == 0
    assert len(stage.state()["caches"]) == 1
