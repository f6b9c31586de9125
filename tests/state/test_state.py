"""A state in its backend, and everything that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ScopeRefused, StackMoved, StateError
from provisioner.model.facts import Scope, State
from provisioner.runtime import SYSTEM
from provisioner.state import admit, read_state, remains_of, serial_of, state_of
from provisioner.state.state_file import state_bytes
from provisioner.storage import StoredFile
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.local import LocalBackend
from tests.builders import STACK, desired, recorded, state
from tests.storage.clock import AT_NOW
from tests.storage.memory import MemoryFiles

SOUND = state_bytes(state(recorded(desired("a"))))


def test_no_file(tmp_path: Path) -> None:
    """Where there is no file, nothing is remembered."""
    assert read_state(LocalBackend(tmp_path, SYSTEM), stack=STACK) == State(stack=STACK)


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
    """The error for a malformed file is one clear paragraph, and the file stays as it is."""
    path = tmp_path / "demo.json"
    path.write_bytes(raw)

    with pytest.raises(StateError) as error:
        read_state(LocalBackend(tmp_path, SYSTEM), stack=STACK)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == raw


def test_a_file_that_may_be_out_of_reach() -> None:
    """Where a file is absent its backend confirms that, and only then."""

    class Unmounted(MemoryFiles):
        def confirm(self, name: str) -> None:
            raise StateError(f"{name} may be out of reach")

    files = Unmounted()
    with pytest.raises(StateError, match="may be out of reach"):
        read_state(LeaseBackend(files, runtime=AT_NOW), stack=STACK)
    files.files["demo.json"] = SOUND

    assert set(read_state(LeaseBackend(files, runtime=AT_NOW), stack=STACK).caches) == {"a"}


def test_a_stack_with_another_name() -> None:
    """A state that has another name now is refused, unless that name is asked for."""
    found = StoredFile(content=state_bytes(state(moved_to="other")), version="1")

    with pytest.raises(StackMoved, match="it is other now"):
        state_of(found, where="here", stack=STACK)
    assert state_of(found, where="here", stack=STACK, moved=True).moved_to == "other"


@pytest.mark.parametrize(
    ("content", "serial"),
    [
        (None, 0),
        (b"", 0),
        (b'{"serial": 4, "stack": "demo", ', 4),
        (b'{"serial": 4, "serial": 12, "stack": "demo"', 12),
        (b'\xff{"serial": 4}', 4),
        (b'\xff\xfe{"serial": 4}', 4),
        (b'{"stack": "demo"', 0),
        (b'{"serial": 4, "stack": "other"', None),
        (b'{"serial": 4, "stack": "demo", "stack": "other"', None),
    ],
)
def test_what_remains(content: bytes | None, serial: int | None) -> None:
    """Of a state that cannot be read the highest serial counts, if it names no other stack."""
    found = None if content is None else StoredFile(content=content, version="1")
    remains = remains_of(found, stack=STACK)

    assert remains == (None if serial is None else State(stack=STACK, serial=serial))


@pytest.mark.parametrize(
    ("content", "serial"),
    [
        (None, None),
        (SOUND, 0),
        (b'{"serial": 7}', 7),
        (b'{"serial": "7"}', None),
        (b"[7]", None),
        (b"{", None),
        (b"\xff", None),
    ],
)
def test_the_serial_of_a_file(content: bytes | None, serial: int | None) -> None:
    """A file has a serial if it is JSON with a number there."""
    found = None if content is None else StoredFile(content=content, version="1")

    assert serial_of(found) == serial


HERE, THERE = "https://here/v1beta", "https://there/v1beta"
OLD, NEW = "0" * 16, "1" * 16
KNOWN = Scope(endpoint=HERE, keys=(OLD,))
SEEN = Scope(endpoint=HERE, keys=(NEW,))
MOVED = Scope(endpoint=THERE, keys=(OLD,))
ELSEWHERE = Scope(endpoint=THERE, keys=(NEW,))
BOTH = Scope(endpoint=HERE, keys=(OLD, NEW))
A, B = "cachedContents/a", "cachedContents/b"

ADMITTED = [
    ("first", None, SEEN, set(), set(), SEEN),
    ("known", KNOWN, KNOWN, {A, B}, set(), KNOWN),
    ("rotated", KNOWN, SEEN, {A, B}, {A}, BOTH),
    ("nothing-to-tell-by", KNOWN, SEEN, set(), set(), BOTH),
    ("moved-and-there", KNOWN, MOVED, {A, B}, {B}, MOVED),
    ("another-key-there", KNOWN, ELSEWHERE, {A, B}, {B}, ELSEWHERE),
]


@pytest.mark.parametrize(
    ("known", "seen", "expected", "shown", "scope"),
    [pytest.param(*row, id=name) for name, *row in ADMITTED],
)
def test_admitted(
    known: Scope | None, seen: Scope, expected: set[str], shown: set[str], scope: Scope
) -> None:
    """A known key, a rotated one and a first one are welcome, and remembered."""
    assert admit(known, seen, expected=expected, shown=shown, accept=False) == scope


@pytest.mark.parametrize(
    ("seen", "expected", "sentence"),
    [
        (SEEN, {A}, "the one cache that should be alive is not to be found under this API key"),
        (SEEN, {A, B}, "none of the 2 caches that should be alive is to be found under this"),
        (MOVED, {A}, f"is not to be found at {THERE}, where the state knows them at {HERE}"),
    ],
)
def test_what_a_refusal_says(seen: Scope, expected: set[str], sentence: str) -> None:
    """A refusal names how many caches are missing, and the key or the endpoint."""
    with pytest.raises(ScopeRefused) as refused:
        admit(KNOWN, seen, expected=expected, shown=set(), accept=False)

    assert sentence in str(refused.value)


@pytest.mark.parametrize("seen", [SEEN, MOVED])
@pytest.mark.parametrize("known", [None, KNOWN])
@pytest.mark.parametrize("expected", [{A}, {A, B}])
def test_refused(known: Scope | None, seen: Scope, expected: set[str]) -> None:
    """A new key or endpoint that shows no recorded cache is refused, unless that is accepted."""
    with pytest.raises(ScopeRefused, match="--accept-scope"):
        admit(known, seen, expected=expected, shown={"cachedContents/c"}, accept=False)

    accepted = admit(known, seen, expected={A, B}, shown=set(), accept=True)
    assert set(seen.keys) <= set(accepted.keys)
    assert accepted.endpoint == seen.endpoint
