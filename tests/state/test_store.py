"""A state on disk, and everything that can be wrong with it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.errors import StateError
from provisioner.model import State
from provisioner.state import StateFile, read_state, state_bytes
from tests.builders import STACK, desired, recorded, state

SOUND = state_bytes(state(recorded(desired("a"))))


def test_no_file(tmp_path: Path) -> None:
    """Where there is no file, nothing is remembered."""
    assert read_state(tmp_path / "demo.json", stack=STACK) == State(stack=STACK)


BROKEN = {
    "half": SOUND[: len(SOUND) // 2],
    "zeros": bytes(len(SOUND)),
    "empty": b"",
    "newer": SOUND.replace(b'"version": 1', b'"version": 2'),
    "other-stack": SOUND.replace(b'"stack": "demo"', b'"stack": "other"'),
    "no-object": b"[]",
    "not-utf8": b"\xff\xfe",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_broken(tmp_path: Path, raw: bytes) -> None:
    """A file that makes no sense is one clear paragraph, and stays as it is."""
    path = tmp_path / "demo.json"
    path.write_bytes(raw)

    with pytest.raises(StateError) as error:
        read_state(path, stack=STACK)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == raw


def test_something_else_in_its_place(tmp_path: Path) -> None:
    """A link, a folder or a device in the state's place is refused, for reading and writing."""
    target = tmp_path / "target.json"
    target.write_bytes(SOUND)
    (tmp_path / "link.json").symlink_to(target)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")

    for name in ("link.json", "folder.json", "pipe.json"):
        with pytest.raises(StateError):
            read_state(tmp_path / name, stack=STACK)
        with pytest.raises(StateError):
            StateFile(tmp_path / name).write(b"{}")
    assert target.read_bytes() == SOUND


FULL = """
import resource, sys
from pathlib import Path
from provisioner.errors import StateError
from provisioner.state import StateFile

resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    StateFile(Path(sys.argv[1])).write(b"x" * 1000)
except StateError as error:
    print(error)
"""


def test_no_room(tmp_path: Path) -> None:
    """A file that cannot grow is told, the old one stays whole and no draft is left."""
    assert resource.RLIMIT_FSIZE is not None
    path = tmp_path / "demo.json"
    path.write_bytes(SOUND)

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )

    assert "cannot be written" in done.stdout
    assert path.read_bytes() == SOUND
    assert [file.name for file in tmp_path.iterdir()] == ["demo.json"]
