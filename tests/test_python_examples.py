"""The examples that use a stack from Python run as they stand, without a key."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.python_examples import PythonExamples, check_examples

if sys.platform == "win32":
    pytest.skip("a service is not interrupted there", allow_module_level=True)


def test_examples(tmp_path: Path) -> None:
    """A test of prompts, a task and a service keep what their first lines promise."""
    check_examples(PythonExamples.copied(Path(sys.executable), tmp_path))
