"""One comment under a request for review, and what is read back from it after the merge."""

from __future__ import annotations

from provisioner.operations.approvals import plan_views
from provisioner.render.review_comment import comment_text
from tests.ci.forge import TOKEN, Forge, Said
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.review_job import planned
from tests.repository import git

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"


def test_one_comment(stage: Stage, forge: Forge) -> None:
    """It is written once, left alone while it tells the same, and edited when edits differ."""
    file = planned(stage, A)
    assert stage.run("comment", str(file)).status == 0
    assert stage.run("comment", str(file)).status == 0
    assert len(forge.writes()) == 1
    assert "`a`" in forge.texts()[0]

    assert stage.run("comment", str(planned(stage, A, B, b=LONG))).status == 0
    assert len(forge.said) == 1
    assert len(forge.writes()) == 2
    assert "`b`" in forge.texts()[0]
    assert forge.tokens - {None} <= {TOKEN, f"Bearer {TOKEN}"}


def test_a_comment_of_another_author(stage: Stage, forge: Forge) -> None:
    """A comment that only looks like ours is neither believed nor edited."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    forge.said[0].author = "mallory"
    stage.run("comment", str(file))

    assert [one.author for one in forge.said] == ["mallory", forge.us]


def test_a_stack_that_is_removed(stage: Stage, forge: Forge) -> None:
    """That a branch leaves caches alive is worth a comment, although it edits nothing."""
    stage.write(A, a=LONG)
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        git(stage.root, *arguments)
    (stage.root / "ctxprov.yaml").unlink()
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--base", "HEAD", "--out", f"json={file}").status == 0

    assert stage.run("comment", str(file)).out == "Comment written.\n"
    assert "ctxprov destroy --stack demo" in forge.texts()[0]
    assert stage.run("comment", str(file)).out == "The comment is up to date.\n"


def test_no_edits(stage: Stage, forge: Forge) -> None:
    """A plan without edits begins no comment, and says so in one that is there."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    stage.apply()
    file = planned(stage, A)
    stage.run("comment", str(file))
    assert "no changes" in forge.texts()[0]

    forge.said.clear()
    assert "no edits" in stage.run("comment", str(file)).out
    assert forge.said == []


def test_what_was_reviewed_is_applied(stage: Stage, forge: Forge) -> None:
    """The comment lets exactly its edits through; one more is named and left undone."""
    stage.run("comment", str(planned(stage, A)))
    forge.merged = True
    expected = stage.run("approved", ".").out.strip()

    stage.write(A, B, a=LONG, b=LONG)
    result = stage.run("apply", ".", "--expect", expected)
    assert result.status == 3
    assert "b: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["a"]
    stage.write(A, a=LONG)
    assert stage.run("apply", ".", "--expect", expected).status == 0
    assert len(stage.live()) == 1


def test_two_merges(stage: Stage, forge: Forge) -> None:
    """Of two merges each applies the edits of its own review, and the other's are named."""
    stage.write(A, a=LONG)
    first = stage.plan()["fingerprint"]
    stage.apply()
    stage.run("comment", str(planned(stage, A, B, b=LONG)))
    stage.run("destroy", ".", "--auto-approve")  # as if the first was not applied yet
    forge.merged = True
    second = stage.run("approved", ".").out.strip()

    result = stage.run("apply", ".", "--expect", second)
    assert result.status == 3
    assert "a: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["b"]
    assert stage.run("apply", ".", "--expect", first).status == 0
    assert len(stage.live()) == 2


def test_nothing_was_reviewed(stage: Stage, forge: Forge) -> None:
    """Without a comment no edit is approved; without a merged request nothing is."""
    stage.write(A, a=LONG)
    assert stage.run("approved", ".").status == 3
    forge.merged = True
    expected = stage.run("approved", ".").out.strip()

    assert stage.run("apply", ".", "--expect", expected).status == 3


def test_a_cut_comment(stage: Stage, forge: Forge) -> None:
    """A comment that had no room for every change approves none of them."""
    mark, text = comment_text(plan_views(planned(stage, A, B, b=LONG)), limit=700)
    assert mark.cut
    forge.said.append(Said(forge.us, text))
    forge.merged = True
    result = stage.run("approved", ".")

    assert result.status == 3
    assert result.out == ""
    assert "no room" in result.err
