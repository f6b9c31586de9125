"""Patience with what passes, and distrust of what does not keep conditions."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from provisioner.errors import BackendUnreachable, StateError, StateTaken
from provisioner.runtime import SYSTEM
from provisioner.storage.network import ProbingFiles
from tests.storage.memory import MemoryFiles

PROBE = "ctxprov-probe.json"


class Flaky(MemoryFiles):
    """Loses the answers of the first tries, whether or not it carried them out."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        self.loses_answers = self.failures > 0
        self.failures -= 1
        return super().write(name, content, expected=expected)


class Careless(MemoryFiles):
    """Takes conditions and ignores them."""

    def _compare(self, name: str, expected: str | None) -> None:
        del name, expected


class Halfway(MemoryFiles):
    """Creates on a condition, and replaces without."""

    def _compare(self, name: str, expected: str | None) -> None:
        if expected is None:
            super()._compare(name, expected)


def careful(files: MemoryFiles, waits: list[float] | None = None) -> ProbingFiles:
    heard: list[float] = [] if waits is None else waits
    return ProbingFiles(files, replace(SYSTEM, pause=heard.append))


@pytest.mark.parametrize("failures", [0, 1])
def test_a_lost_answer_is_looked_up(failures: int) -> None:
    """A write that was done, and whose answer was lost, was done."""
    files = Flaky(failures=0)
    backend = careful(files)
    first = backend.write("a.json", b"one", expected=None)
    files.failures = failures
    second = backend.write("a.json", b"two", expected=first)
    found = backend.read("a.json")
    assert found
    assert (found.content, found.version) == (b"two", second)


def test_lost_to_another() -> None:
    """A write whose answer was lost, and which another has overwritten since, is lost."""
    files = MemoryFiles()
    backend = careful(files)
    first = backend.write("a.json", b"one", expected=None)

    def overtaken() -> None:
        files.before_write = lambda: None
        files.files["a.json"] = b"theirs"
        raise BackendUnreachable("gone")

    files.before_write = overtaken
    with pytest.raises(StateTaken):
        backend.write("a.json", b"two", expected=first)
    assert files.files["a.json"] == b"theirs"


def test_equal_bytes_were_not_ours() -> None:
    """Equal bytes that stood there before our try count as another run's write."""
    files = MemoryFiles()
    careful(files).write("a.json", b"one", expected=None)
    with pytest.raises(StateTaken):
        careful(files).write("a.json", b"one", expected=None)


def test_patience_ends() -> None:
    """Three tries, longer apart each time, and then it is unreachable."""
    files = MemoryFiles()
    files.is_down = True
    waits: list[float] = []
    with pytest.raises(BackendUnreachable):
        careful(files, waits).read("a.json")
    assert waits == [0.2, 1.0]


@pytest.mark.parametrize(
    ("files", "fault"),
    [(Careless(), "creates a file that exists"), (Halfway(), "replaces a file whose version")],
)
def test_a_store_without_conditions(files: MemoryFiles, fault: str) -> None:
    """A store that ignores conditions is refused before anything is written to it."""
    backend = careful(files)
    assert backend.read("a.json") is None
    with pytest.raises(StateError, match=fault):
        backend.write("a.json", b"one", expected=None)
    assert set(files.files) == {PROBE}


def test_probed_once() -> None:
    """The probe costs its requests once, and one file of a name that is always the same."""
    files = MemoryFiles()
    backend = careful(files)
    version = backend.write("a.json", b"one", expected=None)
    writes: list[None] = []
    files.before_write = lambda: writes.append(None)
    backend.write("a.json", b"two", expected=version)
    assert len(writes) == 1
    careful(files).write("b.json", b"one", expected=None)
    assert set(files.files) == {"a.json", "b.json", PROBE}


@pytest.mark.parametrize("at", range(1, 5))
def test_a_probe_that_another_disturbs(at: int) -> None:
    """Another run that probes at the same time makes a sound store look no worse."""
    files = MemoryFiles()
    writes = count(1)

    def before_write() -> None:
        if next(writes) == at:
            files.before_write = lambda: None
            careful(files).write("b.json", b"other", expected=None)

    files.before_write = before_write
    careful(files).write("a.json", b"one", expected=None)

    assert set(files.files) == {"a.json", "b.json", PROBE}
