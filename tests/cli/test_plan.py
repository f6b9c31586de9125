"""`plan -v` names what changed, at any width, and with `--base` shows the texts that did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git


@pytest.mark.parametrize("columns", [1, 60, 80, 92, 100])
def test_a_path_as_wide_as_the_line(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """A changed file is named in full and the plan ends, however long its path is."""
    monkeypatch.setenv("COLUMNS", str(columns))
    path = f"{'knowledge-' * 8}{'a' * 9}.md"
    stage.write(f"a: {{{GEMINI}, content: {path}}}")
    (stage.root / path).write_text(LONG)
    assert stage.apply().status == 0
    (stage.root / path).write_text(LONG + "more")

    ended = stage.run("plan", ".", "-v")

    assert ended.status == 0
    assert f"      {path}\n" in ended.out


def test_only_what_changed(stage: Stage) -> None:
    """Of many files the edited one is shown, and a renamed one is a line."""
    names = [f"docs/{number}.md" for number in range(10, 30)]
    stage.write(f"a: {{{GEMINI}, content: [{', '.join(names)}]}}")
    docs = stage.root / "docs"
    docs.mkdir()
    for name in names:
        (stage.root / name).write_text(f"Chapter {name}.\n" * 100)
    commit(stage.root)
    (docs / "15.md").write_text("New.\n" + "Chapter docs/15.md.\n" * 100)
    stage.write(f"a: {{{GEMINI}, content: [{', '.join(names).replace('20', '20b')}]}}")
    (docs / "20.md").rename(docs / "20b.md")

    ended = stage.run("plan", ".", "--base", "HEAD", "-v")
    patches, _ = ended.out.split("Edits:")

    assert ended.status == 0
    assert patches == (
        "--- docs/15.md\n+++ docs/15.md\n@@ -1,2 +1,3 @@\n"
        "+New.\n Chapter docs/15.md.\n Chapter docs/15.md.\n\nrenamed: docs/20.md → docs/20b.md\n\n"
    )


def commit(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "Begin")
