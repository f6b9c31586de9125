"""Limits, as a person at a terminal, a pipeline and a schedule meet them."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage

ENTRIES = [f"c{at}: {{{GEMINI}, content: c{at}.md}}" for at in range(6)]
HEAD = "version: 1\nstack: demo\n"


def start(stage: Stage, *, limits: str = "", edited: int = 0, length: int = 1) -> None:
    """Write six entries, the first *edited* of which are not as they were."""
    head = f"{HEAD}limits: {limits}\n" if limits else HEAD
    files = {
        f"c{at}": LONG * length + str(at) + ("edited" if at < edited else "") for at in range(6)
    }
    stage.write(*ENTRIES, head=head, **files)


def test_too_many_at_once(stage: Stage) -> None:
    """Plan and apply refuse four of six changes until an option overrides the limit."""
    start(stage)
    assert stage.apply().status == 0
    before = stage.state()
    start(stage, edited=4)

    plan = stage.run("plan", ".")
    refused = stage.apply()

    assert plan.status == refused.status == 3
    assert "Refused: These edits replace 4 of 6 caches on record (c0, c1, c2, c3)" in plan.out
    assert "Error: These edits replace 4 of 6" in refused.err
    assert "add --override replace" in refused.err
    assert "Nothing was changed." in refused.err
    assert stage.state() == before
    assert stage.run("plan", ".", "--override", "delete").status == 3
    overridden = stage.run("plan", ".", "--override", "replace")
    assert overridden.status == 0
    assert "Warning: These edits replace 4 of 6" in overridden.out
    assert stage.apply("--override", "replace").status == 0
    assert stage.count("create") == 10


def test_what_was_approved_goes_through(stage: Stage) -> None:
    """An approval of the plan covers what it shows beyond a limit, and nothing else."""
    start(stage)
    stage.apply()
    start(stage, edited=4)
    plan = stage.plan()
    file = stage.root / "plan.json"
    stage.run("plan", ".", "--out", f"json={file}")

    assert [one["limit"] for one in plan["limits"]] == ["replace.percent"]
    assert stage.run("apply", ".", "--expect", "0" * 64).status == 3
    assert stage.run("apply", ".", "--plan", str(file)).status == 0
    stage.write(*ENTRIES[1:], head=f"{HEAD}limits: {{delete: {{count: 0}}}}\n")
    assert stage.apply().status == 3
    fingerprint = stage.plan()["fingerprint"]
    assert stage.run("apply", ".", "--expect", fingerprint).status == 3
    assert stage.run("apply", ".", "--expect", f"{fingerprint},replace.percent").status == 3
    assert stage.run("apply", ".", "--expect", f"{fingerprint},delete.count").status == 0
    assert len(stage.state()["caches"]) == 5


def test_a_budget(stage: Stage) -> None:
    """What would cost too much is refused with its place; deleting gets below the limit again."""
    start(stage, limits="{rent_per_hour: 0.000001}")
    refused = stage.apply()

    assert refused.status == 3
    assert "limits.rent_per_hour (" in refused.err
    assert "ctxprov.yaml:3:10) allows <$0.0001/h" in refused.err
    assert stage.live() == {}
    assert stage.apply("--override", "rent_per_hour").status == 0
    stage.write(*ENTRIES[1:], head=f"{HEAD}limits: {{rent_per_hour: 0.000001}}\n")
    cheaper = stage.apply()
    assert cheaper.status == 0
    assert "warning: The rent of what stays after this plan is" in cheaper.err


def test_a_budget_lets_nothing_go_cold(stage: Stage) -> None:
    """Above its limit a stack is kept alive and made again, by a schedule and by an apply."""
    start(stage)
    stage.apply()
    start(stage, limits="{rent_per_hour: 0, rent_total_per_30_days: 0, replace: {count: 0}}")
    for id_ in [*stage.live()][:2]:
        stage.delete(id_)

    kept = stage.run("keepalive", ".")
    assert kept.status == 0
    assert "The rent of what stays after this plan is" in kept.err
    assert len(stage.live()) == 6
    stage.delete(next(iter(stage.live())))
    assert stage.apply().status == 0
    assert len(stage.live()) == 6


def test_no_price_stops_a_schedule(stage: Stage) -> None:
    """A file of models that cannot be read lets nothing go cold either."""
    start(stage, limits="{rent_per_hour: 100}")
    stage.apply()
    file = stage.root / "models.json"
    file.write_text("{")

    kept = stage.run("keepalive", ".", "--models", str(file))
    assert kept.status == 0
    assert "Covered until" in kept.out


def test_destroy_means_it(stage: Stage) -> None:
    """No limit stands in the way of who asks for the end of all."""
    start(stage, limits="{delete: {count: 0}}")
    stage.apply()

    assert stage.run("destroy", ".", "--auto-approve").status == 0
    assert stage.live() == {}


def test_without_a_provider(stage: Stage) -> None:
    """A review from git alone meets the same limits."""
    start(stage)
    git = ["git", "-C", str(stage.root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)
    start(stage, edited=4)

    plan = stage.run("plan", ".", "--base", "main")

    assert plan.status == 3
    assert "Refused: These edits replace 4 of 6 caches" in plan.out


ELSEWHERE = (
    "{uri: 'gs://bucket/atlas.pdf', mime_type: application/pdf}",
    "{uri: 'https://www.youtube.com/watch?v=x', mime_type: video/mp4}",
)


@pytest.mark.parametrize("uri", ELSEWHERE)
def test_an_unknown_size(stage: Stage, uri: str) -> None:
    """A part of unknown size beside a text has no price, and every limit on rent refuses it."""
    head = f"{HEAD}limits: {{rent_per_hour: 1, rent_total_per_30_days: 100}}\n"
    book = f"book: {{{GEMINI}, revision: 1, content: [{uri}, {{text: The only source}}]}}"
    stage.write(book, f"other: {{{GEMINI}, content: a.md}}", head=head, a=LONG)

    result = stage.run("plan", ".")
    document = stage.run("plan", ".", "--json").json

    assert result.status == 3
    assert "unknown size, ? tokens" in result.out
    assert " ".join(result.out.split()).count("is unknown, for book has no price") == 2
    (after,) = (one["after"] for one in document["changes"] if one["name"] == "book")
    assert (after["size"], after["tokens"], after["tokens_estimated"]) == (None, None, None)
    assert document["totals"]["rent_per_hour_after"]["partial"]
    assert stage.apply().status == 3
    assert stage.live() == {}
    for page in ("markdown", "html"):
        stage.run("plan", ".", "--out", f"{page}={stage.root / page}")
        assert "unknown size" in (stage.root / page).read_text()
