"""What an earlier revision wrote is read, continued and unlocked by this one."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner import GeminiHandle, Handles
from tests.documents import ROOM
from tests.documents.earlier import Earlier, backend, copy_stack, earlier
from tests.repository import git

ROOT = Path(__file__).parents[2]
KINDS = ["folder", "git", "s3", "gs", "http"]


def answers(kind: str) -> Any:  # noqa: ANN401  # JSON
    return json.loads((ROOM / kind / "answers.json").read_text())


@pytest.fixture(params=KINDS)
def stack(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Earlier]:
    """A stack beside the state that the earlier revision wrote to a backend of some kind."""
    kind: str = request.param
    name = "plain" if kind == "folder" else "small"
    with (
        earlier(kind, name, answers(kind)["at"], tmp_path, capsys) as restored,
        backend(kind, restored.folder) as environ,
    ):
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        yield restored
        monkeypatch.undo()


def test_reading(stack: Earlier) -> None:
    """State, history and earlier states are what the earlier revision itself read there."""
    was = stack.answers

    assert stack.ask("state", "pull", "-C", ".") == was["state pull"]
    assert stack.ask("state", "history", "-C", ".", "--json") == was["state history"]
    listed = stack.ask("state", "list", "-C", ".", "--json")
    for key in ("caches", "retiring"):
        assert sorted(listed[key]) == sorted(was["state pull"][key])
    for name in listed["caches"]:
        assert stack.ask("state", "show", name, "-C", ".") == was["state pull"]["caches"][name]
    for run in was["state history"]["runs"]:
        if (serial := run["kept"]) is not None:
            assert stack.ask("state", "pull", "--serial", str(serial), "-C", ".")["run"]


def test_going_on(stack: Earlier) -> None:
    """
    A run goes on where the earlier revision was killed.

    The owner of the lock is named, unlock ends the lock, and no cache is made or deleted.
    """
    was = stack.answers
    held = was["lock status"]
    assert held["holder"]["operation"] == "apply"
    if stack.kind == "folder":
        with (stack.folder / "state" / "plain.lock").open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert stack.ask("lock", "status", "-C", ".", "--json") == held
    else:
        status = stack.ask("lock", "status", "-C", ".", "--json")
        assert _without_term(status) == _without_term(held)
        stack.run("unlock", held["holder"]["id"], "-C", ".")
    assert stack.ask("lock", "status", "-C", ".", "--json")["holder"] is None

    plan = stack.ask("plan", ".", "--json")
    assert plan["summary"] == was["plan"]["summary"]
    assert plan["fingerprint"] == was["plan"]["fingerprint"]
    stack.run("apply", ".", "--auto-approve")
    assert (stack.requests["create"], stack.requests["delete"]) == (0, 0)
    assert stack.ask("state", "pull", "-C", ".")["caches"] == was["state pull"]["caches"]


def _without_term(status: Any) -> Any:  # noqa: ANN401  # JSON
    """A lease was renewed between the answer and the end of its run."""
    return {**status, "holder": {**status["holder"], "until": None}}


def test_a_plan_that_is_planned_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A saved plan is shown, is what is planned today, and is applied as it was approved."""
    file = ROOM.parent / "07983cc" / "plan.json"
    was = json.loads(file.read_text())
    with _edited(tmp_path, capsys) as stack:
        plan = stack.ask("plan", ".", "--json")
        assert _timeless(plan) == _timeless(was)
        assert was["fingerprint"][:12] in stack.run("render", str(file))

        stack.run("apply", ".", "--plan", str(file))
        made = was["summary"]["create"] + was["summary"]["replace"]
        assert made > 0
        assert stack.requests["create"] == made


def test_a_plan_of_an_earlier_fingerprint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that was saved before fingerprints counted settings is shown and applied."""
    file = ROOM / "folder" / "plan.json"
    was = json.loads(file.read_text())
    with _edited(tmp_path, capsys) as stack:
        plan = stack.ask("plan", ".", "--json")
        for key in ("desired", "edits", "summary"):
            assert plan[key] == was[key], key
        assert plan["fingerprint"][:12] in stack.run("render", str(file))

        stack.run("apply", ".", "--plan", str(file))
        assert stack.requests["create"] == was["summary"]["create"] + was["summary"]["replace"]


def test_an_earlier_fingerprint_holds_its_edits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a plan with another edit than its fingerprint is of is refused, and names the way."""
    was = (ROOM / "folder" / "plan.json").read_text()
    edit = json.loads(was)["edits"][0]["after"]["digest"]
    file = tmp_path / "plan.json"
    file.write_text(was.replace(edit, edit[::-1]))
    with _edited(tmp_path, capsys) as stack:
        for command in (("render", str(file)), ("apply", ".", "--plan", str(file))):
            assert stack.run(*command) == ""
            assert f"{file} is not a plan" in stack.err
            assert "ctxprov plan --out json=plan.json" in stack.err
        assert stack.requests["create"] == 0


@contextmanager
def _edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Earlier]:
    """The stack whose state is in a folder, with the edits that plans were saved of."""
    with (
        earlier("folder", "plain", answers("folder")["at"], tmp_path, capsys) as stack,
        backend("folder", stack.folder),
    ):
        shutil.move(stack.folder / "next.yaml", stack.folder / "ctxprov.yaml")
        git(stack.folder.parent, "commit", "-qam", "the edit")
        yield stack


def _timeless(value: Any) -> Any:  # noqa: ANN401  # JSON
    """A plan without what depends on the second in which it is made."""
    match value:
        case dict():
            return {k: _timeless(v) for k, v in value.items() if k not in _MOMENTS}
        case list():
            return [_timeless(v) for v in value]
        case str():
            return re.sub(r"in \d+\w( \d+\w)?", "then", value)
        case _:
            return value


_MOMENTS = frozenset(
    {
        "at",
        "commit",
        "created_at",
        "expires_at",
        "gone_at",
        "overlap",
        "refresh_at",
        "rent_30_days",
        "valid_until",
    }
)
"""The keys whose values depend on the second; `commit` on the repository of the test."""


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_environments(environment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The states of two environments are read apart, and nothing is left to do in either."""
    was = answers("environments")[environment]
    with (
        earlier("environments", "envs", was["at"], tmp_path, capsys) as stack,
        backend("environments", stack.folder),
    ):
        env = ("--env", environment)
        assert stack.ask("state", "pull", "-C", ".", *env) == was["state pull"]["now"]
        plan = stack.ask("plan", ".", *env, "--json")
        assert (plan["fingerprint"], plan["summary"]) == tuple(was["plan"].values())


HANDLES = sorted(path.relative_to(ROOM).as_posix() for path in ROOM.glob("*/handles*.json"))


@pytest.mark.parametrize("file", HANDLES)
def test_handles(file: str) -> None:
    """A program finds every handle that the earlier revision published, and no expired one."""
    document = json.loads((ROOM / file).read_text())
    written = datetime.fromisoformat(document["generated_at"])
    then = Handles(ROOM / file, clock=lambda: written)
    late = Handles(ROOM / file, clock=lambda: written + timedelta(days=9999))

    assert document["caches"]
    for name, entry in document["caches"].items():
        handle = then.get(name)
        assert handle is not None
        assert handle.as_json() == entry["handle"]
        assert (late.get(name) is None) is isinstance(handle, GeminiHandle)


DIGESTS: dict[str, str] = json.loads((ROOM / "digests.json").read_text())
MANIFESTS = sorted({name.partition(":")[0] for name in DIGESTS})


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_digests(
    manifest: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every cache has the digest that it had."""
    place, _, environment = manifest.partition(" ")
    if place.startswith("examples/"):
        shutil.copytree(ROOT / place, tmp_path / place)
        git(tmp_path, "init", "-q")
    else:
        copy_stack(place, tmp_path / place)
    if environment == "next":
        shutil.move(tmp_path / place / "next.yaml", tmp_path / place / "ctxprov.yaml")
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    for variable in ("GEMINI_API_KEY", "GEMINI_SECOND"):
        monkeypatch.setenv(variable, "AIza-made-up")
    options = ("--env", environment) if environment in {"dev", "prod"} else ()

    stack = Earlier("", tmp_path / place, {}, capsys)
    plan = stack.ask("plan", ".", "--emulator", "--json", *options)

    digests = {f"{manifest}: {want['name']}": want["after"]["digest"] for want in plan["desired"]}
    assert digests == {
        name: digest for name, digest in DIGESTS.items() if name.startswith(f"{manifest}:")
    }
