"""Modules that a checkout carries are never imported, by any way of starting the command."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

MODULES = ("click", "httpx", "jsonschema_rs", "msgspec", "orjson", "portalocker", "yaml")
LIBRARY = ("asyncio", "getpass", "glob", "json", "pathlib", "re", "secrets", "typing")
SCRIPT = (str(Path(sysconfig.get_path("scripts")) / "ctxprov"),)
MODULE = (sys.executable, "-m", "provisioner")
MANIFEST = """\
version: 1
stack: demo
caches:
  a: {provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: a.md}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A stack beside which every module that we import has a hostile namesake."""
    (tmp_path / "ctxprov.yaml").write_text(MANIFEST)
    (tmp_path / "a.md").write_text("word " * 5000)
    for name in MODULES + LIBRARY:
        (tmp_path / f"{name}.py").write_text("import os\nos.write(2, b'HOSTILE')\nos._exit(99)\n")
    return tmp_path


@pytest.mark.parametrize("start", [SCRIPT, MODULE], ids=["script", "module"])
def test_modules_beside_the_manifest(checkout: Path, start: tuple[str, ...]) -> None:
    """A `yaml.py` beside the manifest is not run, however the command is started."""
    arguments = [*start, "plan", "--emulator"]
    ended = subprocess.run(arguments, cwd=checkout, capture_output=True, text=True, check=False)
    assert "HOSTILE" not in ended.stderr
    assert (ended.returncode, "1 to create" in ended.stdout) == (0, True), ended


def test_empty_entry_of_the_path(checkout: Path) -> None:
    """An empty entry of PYTHONPATH, which stands for the working directory, is not believed."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep}
    for name in LIBRARY:  # Python itself imports some of these before any of our lines runs
        (checkout / f"{name}.py").unlink()
    arguments = [*SCRIPT, "validate"]
    ended = subprocess.run(
        arguments, cwd=checkout, env=environ, capture_output=True, text=True, check=False
    )
    assert "HOSTILE" not in ended.stderr
    assert ended.returncode == 0, ended
