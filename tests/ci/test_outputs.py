"""What a later step of a workflow may rely on, and that no document adds to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provisioner.escape import json_text
from provisioner.times import moment_text
from tests.builders import HOUR
from tests.render.fixtures import AT, PLAN, view

SCRIPT = Path(__file__).parents[2] / ".ci" / "outputs.py"
WHOLE = view(PLAN, valid_until=AT + HOUR)


def run_script(document: Any, folder: Path, name: str = "plan") -> subprocess.CompletedProcess[str]:  # noqa: ANN401  # JSON
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document))
    command = [sys.executable, "-I", str(SCRIPT), str(file), str(file.with_suffix(".md"))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def parsed(text: str) -> dict[str, str]:
    """As a runner reads it: a name, then whichever comes first of `=` and `<<`."""
    assert text.endswith("\n")
    outputs = {}
    for line in text[:-1].split("\n"):
        name, _, value = line.partition("=")
        assert "<<" not in name
        outputs[name] = value
    assert len(outputs) == text.count("\n")
    return outputs


def test_a_plan(tmp_path: Path) -> None:
    outputs = parsed(run_script(json.loads(json_text(WHOLE)), tmp_path).stdout)

    assert outputs == {
        "changes": "true",
        "pending": str(sum(row.pending for row in WHOLE.rows)),
        "edits": str(len(WHOLE.edits)),
        "fingerprint": WHOLE.fingerprint,
        "valid-until": moment_text(AT + HOUR),
        "json": str(tmp_path / "plan.json"),
        "markdown": str(tmp_path / "plan.md"),
    }


def test_several_stacks(tmp_path: Path) -> None:
    """Numbers add up, and the earliest moment holds; two fingerprints are none."""
    one = json.loads(json_text(WHOLE))
    both = {"format_version": 1, "stacks": [one, {**one, "valid_until": "2020-01-01T00:00:00Z"}]}
    outputs = parsed(run_script(both, tmp_path).stdout)

    assert outputs["fingerprint"] == ""
    assert outputs["edits"] == str(2 * len(WHOLE.edits))
    assert outputs["valid-until"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\x00"])
@pytest.mark.parametrize("key", ["fingerprint", "valid_until"])
def test_no_value_begins_an_output_of_its_own(tmp_path: Path, key: str, end: str) -> None:
    """Not one output is written for a document that tries."""
    document = json.loads(json_text(WHOLE))
    document[key] = f"x{end}changes=false"
    done = run_script(document, tmp_path)

    assert done.returncode != 0
    assert done.stdout == ""
    assert "would be" in done.stderr


def test_no_value_opens_a_block_of_lines(tmp_path: Path) -> None:
    document = json.loads(json_text(WHOLE))
    document["fingerprint"] = "changes<<END"

    outputs = parsed(run_script(document, tmp_path).stdout)

    assert outputs["fingerprint"] == "changes<<END"
    assert outputs["changes"] == "true"


def test_a_path_is_a_value_too(tmp_path: Path) -> None:
    done = run_script(json.loads(json_text(WHOLE)), tmp_path, name="plan\nchanges=false\n")

    assert done.returncode != 0
    assert done.stdout == ""
