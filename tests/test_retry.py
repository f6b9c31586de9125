"""Another try after a failure that may pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.retry import RetryPolicy
from provisioner.runtime import SYSTEM

POLICY = RetryPolicy(tries=4, first=0.5, longest=1.5)


class _FailingCall:
    """Fails so many times, and remembers what it was called with."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.calls: list[int] = []
        self._failures = failures
        self._error = error

    def __call__(self, failures: int) -> str:
        self.calls.append(failures)
        if len(self.calls) <= self._failures:
            raise self._error
        return "done"


@pytest.mark.parametrize("failures", range(4))
def test_what_passes_is_tried_again(failures: int) -> None:
    """A call is repeated until it succeeds, and it learns how often it has failed."""
    call, pauses = _FailingCall(failures, OSError()), list[float]()

    assert POLICY.run(call, on=OSError, runtime=replace(SYSTEM, pause=pauses.append)) == "done"
    assert call.calls == [*range(failures + 1)]
    assert pauses == [0.5, 1.0, 1.5][:failures]


def test_the_last_failure_is_raised() -> None:
    """After the last try its own error is raised, and no pause follows."""
    call, pauses = _FailingCall(9, OSError("gone")), list[float]()

    with pytest.raises(OSError, match="gone"):
        POLICY.run(call, on=OSError, runtime=replace(SYSTEM, pause=pauses.append))
    assert call.calls == [0, 1, 2, 3]
    assert len(pauses) == 3


def test_other_failures_pass_through() -> None:
    """An error of another kind ends the tries at once."""
    call = _FailingCall(1, KeyError())

    with pytest.raises(KeyError):
        POLICY.run(call, on=OSError, runtime=SYSTEM)
    assert call.calls == [0]


@given(st.integers(1, 1_000_000), st.floats(0, 100), st.floats(0, 100), st.floats(1, 5))
def test_pauses_grow_up_to_the_longest(
    failures: int, first: float, longest: float, factor: float
) -> None:
    """A later pause is no shorter, none is longer than the longest, a random one never longer."""
    policy = RetryPolicy(tries=2, first=first, longest=longest, factor=factor)

    assert (
        0
        <= policy.pause(failures, SYSTEM.random)
        <= policy.pause(failures + 1, SYSTEM.random)
        <= longest
    )
    assert (
        0
        <= replace(policy, is_random=True).pause(failures, SYSTEM.random)
        <= policy.pause(failures, SYSTEM.random)
    )
