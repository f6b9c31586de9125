"""A state in its backend, and everything that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import StateError
from provisioner.model import State
from provisioner.state import read_state, state_bytes
from provisioner.storage.local import LocalBackend
from tests.builders import STACK, desired, recorded, state

SOUND = state_bytes(state(recorded(desired("a"))))


def test_no_file(tmp_path: Path) -> None:
    """Where there is no file, nothing is remembered."""
    assert read_state(LocalBackend(tmp_path), stack=STACK) == State(stack=STACK)


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
        read_state(LocalBackend(tmp_path), stack=STACK)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == raw
