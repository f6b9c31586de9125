"""The same from a wheel that is installed in an environment of its own.  `make check-wheel`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.python_examples import ROOT, PythonExamples, check_examples


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has the wheel and pytest."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    build = (*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    subprocess.run([sys.executable, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, *pip, "install", f"{wheel}[emulator]", "pytest"], check=True)
    return python


def test_examples_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The examples run from the installed package alone, with every warning an error."""
    check_examples(PythonExamples.copied(installed, tmp_path))
