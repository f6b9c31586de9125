"""`--out html` and `--out github`: a page, and annotations beside what people read."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.render.html.test_markup import read_page

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: a.md}}"


def test_a_page_of_a_plan(stage: Stage) -> None:
    """A plan is a page that holds its fingerprint, and a result is one, too."""
    stage.write(A, B, a=LONG)
    file = stage.root / "plan.html"

    plan = stage.plan("--out", str(file))
    seen = read_page(file.read_text())
    assert plan["fingerprint"] in seen.text
    assert seen.tags.count("svg") == 2

    assert stage.apply("--out", str(file)).status == 0
    assert "Done (2)" in read_page(file.read_text()).text


def test_a_page_from_json(stage: Stage) -> None:
    """The page of a plan and the page of its JSON are the same."""
    stage.write(A, a=LONG)
    json, page, again = (stage.root / name for name in ("plan.json", "plan.html", "again.html"))
    stage.run("plan", ".", "--out", str(json), "--out", str(page))

    assert stage.run("render", str(json), "--out", str(again)).status == 0
    assert again.read_text() == page.read_text()


def test_annotations(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit is annotated at its line beside the plan, and the step's summary has the plan."""
    stage.write(A, B, a=LONG)
    summary = stage.root / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(stage.root))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    result = stage.run("plan", ".", "--out", "github=-")

    assert "Plan: 2 to create" in result.out
    assert "::notice file=ctxprov.yaml,line=6,col=3,title=b%3A create::not there yet" in result.out
    assert summary.read_text().startswith("before\n### ctxprov")


def test_a_problem_is_annotated(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with a manifest is an error at its line, although there is no plan."""
    stage.write("a: {provider: gemini, contents: a.md}")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(stage.root))

    result = stage.run("plan", ".", "--out", "github=-", "--out", str(stage.root / "plan.html"))

    assert result.status == 1
    assert "::error file=ctxprov.yaml,line=5,col=25,title=caches.a.contents::" in result.out
    assert not (stage.root / "plan.html").exists()


@pytest.mark.heavy
def test_a_failure_is_annotated(stage: Stage) -> None:
    """A cache that cannot be made is an error at its entry."""
    stage.write(A, a=LONG)
    stage.emulator.close()

    result = stage.apply("--out", "github=-")

    assert result.status == 1
    assert "::error " in result.out


def test_what_was_applied_tells_its_money(stage: Stage) -> None:
    """The rows of a result cost what those of its plan did."""
    stage.write(A, a=LONG)
    (planned,) = stage.plan()["changes"]

    (done,) = stage.apply("--json").json["results"]

    assert done["cost"] == planned["cost"]
    assert done["cost"]["once"]["usd"] > 0
