"""`ctxprov init` writes a stack that works, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner import cli


def test_from_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """init, validate, plan and apply work in an empty folder, as a newcomer types them."""
    monkeypatch.chdir(tmp_path)
    for words in (["init"], ["validate"], ["plan", "--emulator"]):
        assert cli.run(words) == 0
    assert cli.run(["apply", "--emulator", "--auto-approve"]) == 0
    assert "1 done" in capsys.readouterr().out
    assert {"state/*.lock", "*.unsaved.json"} < set((tmp_path / ".gitignore").read_text().split())
    assert cli.run(["output", "--emulator"]) == 0
    handles = json.loads(capsys.readouterr().out)["caches"]
    assert handles["manifest-reference"]["handle"]["provider"] == "gemini"


def test_init_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second init is refused and changes nothing; two stacks never have one name."""
    one, two = tmp_path / "My Bot!", tmp_path / "My Bot?"
    assert cli.run(["init", str(one)]) == 0
    assert cli.run(["init", str(two)]) == 0
    before = (one / "ctxprov.yaml").read_text()

    assert cli.run(["init", str(one)]) == 3
    assert "exists already" in capsys.readouterr().err
    assert (one / "ctxprov.yaml").read_text() == before
    assert "stack: my-bot-" in before
    assert before != (two / "ctxprov.yaml").read_text()


def test_init_leads_editors_to_a_schema(tmp_path: Path) -> None:
    """The modeline of a new manifest resolves to a schema that is the shipped one."""
    assert cli.run(["init", str(tmp_path)]) == 0
    line = (tmp_path / "ctxprov.yaml").read_text().splitlines()[0]
    target = tmp_path / line.partition("$schema=")[2]

    assert json.loads(target.read_text())["title"] == "ctxprov manifest"
