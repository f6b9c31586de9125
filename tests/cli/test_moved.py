"""A cache that is renamed, at a terminal."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage

OLD = f"old: {{{GEMINI}, content: a.md}}"
NEW = f"new: {{{GEMINI}, content: a.md}}"
MOVED = f"{HEAD}moved: [{{from: old, to: new}}]\n"


def test_a_rename_makes_nothing(stage: Stage) -> None:
    """It is seen in the plan, asked for, recorded and published; the same cache lives on."""
    stage.write(OLD, a=LONG)
    stage.apply()
    before = stage.live()
    stage.write(NEW, head=MOVED)

    assert "called old until now" in stage.run("plan", ".").out
    assert stage.run("plan", ".", "--detailed-exitcode", "--exit-on", "edit").status == 2
    assert stage.run("apply", ".").status == 3
    assert stage.apply().status == 0
    assert stage.live() == before
    assert list(stage.state()["caches"]) == list(stage.handles()) == ["new"]
    assert stage.changes() == {"new": ("keep", "current")}
    assert "No changes." in stage.run("plan", ".").out


def test_a_lost_state(stage: Stage) -> None:
    """The label has the old name still, and the cache is found by it."""
    stage.write(OLD, a=LONG)
    stage.apply()
    stage.write(NEW, head=MOVED)
    stage.apply()
    stage.state_file.unlink()

    assert stage.changes() == {"new": ("adopt", "found")}
    assert stage.apply().status == 0
    assert len(stage.live()) == 1


def test_renamed_and_edited(stage: Stage) -> None:
    """A rename with another content is one replacement, and nothing of the old name remains."""
    stage.write(OLD, a=LONG)
    stage.apply()
    stage.write(NEW, head=MOVED, a=LONG * 2)

    assert stage.apply().status == 0
    assert list(stage.state()["caches"]) == ["new"]
    assert [one["name"] for one in stage.state()["retiring"].values()] == ["new"]


def test_approved(stage: Stage) -> None:
    """A plan approves a rename like any edit; once it is done, that plan asks for nothing."""
    stage.write(OLD, a=LONG)
    stage.apply()
    stage.write(NEW, head=MOVED)
    fingerprint = stage.plan()["fingerprint"]

    assert stage.run("apply", ".", "--expect", "0" * 64).status == 3
    assert stage.run("apply", ".", "--expect", fingerprint).status == 0
    assert stage.run("apply", ".", "--expect", fingerprint).status == 0


def test_keepalive_leaves_it(stage: Stage) -> None:
    """A schedule keeps what is recorded under the old name until an apply moves it."""
    stage.write(OLD, a=LONG)
    stage.apply()
    stage.write(NEW, head=MOVED)

    assert stage.run("keepalive", ".").status == 0
    assert list(stage.state()["caches"]) == ["old"]
