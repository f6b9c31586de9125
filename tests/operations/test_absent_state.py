"""Nothing on record is no health: what commands say and do where a state is absent."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.metrics import value_of
from tests.storage.terraform_server import States, terraform_server

A = f"a: {{{GEMINI}, content: a.md}}"
COLD = "Nothing is on record: nothing is kept warm."


def lose_state(stage: Stage) -> None:
    """Make the cache `a`, and let the runner that remembered it vanish."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.state_file.unlink()


def test_labels_alive_with_nothing_on_record(stage: Stage) -> None:
    """keepalive and next fail, drift exits 2, and each of them has sent a LIST."""
    lose_state(stage)

    for command in ("keepalive", "next"):
        listed = stage.count("list")
        result = stage.run(command, ".")
        assert result.status == 1
        assert f"{COLD} Yet 1 live cache carries the label of demo" in result.out
        assert stage.count("list") == listed + 1
    drift = stage.run("drift", ".")
    assert drift.status == 2
    assert "labelled as this stack's, not on record" in drift.out
    assert stage.run("next", ".", "--json").json["stacks"][0]["recorded"] is False

    assert stage.apply().status == 0
    assert stage.run("keepalive", ".").status == 0
    assert stage.count("create") == 1


@pytest.mark.parametrize("command", ["keepalive", "next"])
@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_never_applied(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: str, ci: str, status: int
) -> None:
    """Without a live cache it is no failure, unless CI keeps its state on a runner's disk."""
    stage.write(A, a=LONG)
    monkeypatch.setenv("CI", ci)

    result = stage.run(command, ".")

    assert result.status == status
    assert COLD in result.out
    assert ("--state git+branch:ctxprov-state" in result.out) == bool(ci)
    assert "as declared" not in result.out


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_prune_finds_what_a_killed_first_apply_left(stage: Stage, command: str) -> None:
    """--prune looks at the project although nothing is on record, and nothing is declared."""
    lose_state(stage)
    stage.write()
    more = ["--allow-empty"] if command == "apply" else []

    result = stage.run(command, ".", "--prune", "--auto-approve", *more)

    assert result.status == 0
    assert stage.live() == {}


def test_only_what_was_compared_is_called_as_declared(stage: Stage) -> None:
    """keepalive compares the record, destroy nothing at all; plan alone speaks of the manifest."""
    stage.write(A, A.replace("a:", "b:"), a=LONG)
    stage.apply()

    assert "Every recorded cache is alive" in stage.run("keepalive", ".").out
    assert "Every cache is as declared" in stage.run("plan", ".").out
    assert "as declared" not in stage.run("plan", ".", "--target", "a").out
    stage.run("destroy", ".", "--auto-approve")
    assert stage.run("destroy", ".", "--auto-approve").out.startswith("No changes.\n")


@pytest.mark.parametrize("ci", ["true", ""])
def test_apply_in_ci_with_a_folder(stage: Stage, monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    """apply warns where its state may vanish with the runner, and does its work."""
    stage.write(A, a=LONG)
    monkeypatch.setenv("CI", ci)

    result = stage.apply()

    assert result.status == 0
    assert ("warning: CI is set and the state is the file" in result.err) == bool(ci)


PROJECTS = "providers: {eu: {type: gemini, key_env: GEMINI_API_KEY_EU}}\n"


def test_a_project_that_no_entry_uses(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared project is looked at also when its last entry is gone; else a warning says so."""
    monkeypatch.setenv("GEMINI_API_KEY_EU", "AIza-made-up-key-of-europe")
    head = f"version: 1\nstack: demo\n{PROJECTS}"
    stage.write(A.replace("gemini,", "eu,", 1), head=head, a=LONG)
    assert stage.apply().status == 0
    stage.state_file.unlink()
    stage.write("n: {provider: claude, model: claude-sonnet-5-5, content: a.md}", head=head)

    assert stage.run("drift", ".").status == 2
    monkeypatch.delenv("GEMINI_API_KEY_EU")
    blind = stage.run("drift", ".")
    assert blind.status == 0
    assert "GEMINI_API_KEY_EU is not set: whether the project of eu" in blind.err


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[States]:
    with terraform_server() as states:
        monkeypatch.setenv("CTXPROV_STATE", f"{states.url}/states")
        monkeypatch.setenv("TF_HTTP_RETRY_MAX", "0")
        yield states


@pytest.mark.parametrize("status", [403, 404])
def test_a_state_out_of_reach(stage: Stage, server: States, status: int) -> None:
    """A 403 or a bare 404 is no absent state: exit 1, and plan shows that of a new stack."""
    stage.write(A, a=LONG)
    server.before = lambda request: (status, b"", {}) if request.method == "GET" else None

    plan = stage.run("plan", ".", "--out", f"json={stage.root / 'plan.json'}")
    assert plan.status == 1
    assert "Plan: 1 to create" in plan.out
    assert str(status) in plan.err
    assert len(json.loads((stage.root / "plan.json").read_text())["changes"]) == 1
    for command in ("drift", "next", "show"):
        arguments = [command, *(["-C"] if command == "show" else []), "."]
        result = stage.run(*arguments)
        assert result.status == 1
        assert str(status) in result.err


def test_a_lock_shows_that_a_404_is_an_absent_state(stage: Stage, server: States) -> None:
    """The first apply goes through: a lock shows that the address is right."""
    stage.write(A, a=LONG)
    assert stage.run("plan", ".").status == 1

    assert stage.apply().status == 0
    assert stage.run("plan", ".", "--detailed-exitcode").status == 0
    assert len(server.states) == 1


def test_no_cover_is_promised_for_what_is_gone(stage: Stage) -> None:
    """keepalive names no moment until which all is warm while a cache is held back."""
    stage.write(A, a=LONG)
    stage.apply()
    assert "Covered until" in stage.run("keepalive", ".").out
    (cache,) = stage.live()
    stage.delete(cache)

    result = stage.run("keepalive", ".")

    assert result.status == 3
    assert "Covered until" not in result.out


def test_no_cover_is_promised_without_the_content(stage: Stage) -> None:
    """Nor while one is gone whose content is not at hand; the metrics count it as run out."""
    stage.write(*(A.replace("a", name, 1).replace("a.md", f"{name}.md") for name in "abc"))
    for name in "abc":
        (stage.root / f"{name}.md").write_text(LONG + name)
    assert stage.apply().status == 0
    stage.delete(stage.state()["caches"]["b"]["id"])
    (stage.root / "b.md").write_text(LONG + "edited")
    metrics = stage.root / "metrics.prom"

    result = stage.run("keepalive", ".", "--metrics-file", str(metrics))

    assert result.status == 1
    assert "b: cannot be made again" in result.out
    assert "Covered until" not in result.out
    text = metrics.read_text()
    assert value_of(text, "ctxprov_cache_seconds_to_expiry", stack="demo", name="b") == 0
    left = value_of(text, "ctxprov_cache_seconds_to_expiry", stack="demo", name="a")
    assert left is not None
    assert 40_000 < left < 50_000
