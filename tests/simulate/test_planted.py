"""Planted faults: each fits the code as it stands, and the search finds one and misses none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulate.checker import Rule
from tests.simulate.patches import PATCHES, Patch
from tests.simulate.planted import compiled, source_of


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_a_patch_fits(patch: Patch) -> None:
    """Each hunk stands once in its file, and what takes its place is code."""
    source = source_of(patch)
    assert compiled(patch, source) != compile(source, patch.file, "exec", dont_inherit=True)


def test_no_two_are_the_same() -> None:
    """No two faults have a name, a sentence or a change in common."""
    for field in ("name", "sentence", "diff"):
        values = [getattr(patch, field) for patch in PATCHES]
        assert len({*values}) == len(values)


def test_every_rule() -> None:
    """Each rule of the checker has a fault that it has to find."""
    assert {patch.rule for patch in PATCHES} == {*Rule}


def test_a_text_that_is_not_there() -> None:
    """A patch of code that has changed is refused, with its name and its file."""
    patch = PATCHES[0]
    with pytest.raises(ValueError, match=rf"^{patch.name}: {patch.file} has 0 times"):
        patch.applied("")


def test_a_fault() -> None:
    """The search names the seed that finds a fault, and exits with 0."""
    answer = _search("lives add up", "--seeds", "10")
    assert answer.returncode == 0
    assert "1 of 1 faults found" in answer.stdout


def test_a_fault_that_no_seed_finds() -> None:
    """The search exits with 1 if a fault is not found."""
    answer = _search("lives add up", "--seeds", "0")
    assert answer.returncode == 1
    assert "not found" in answer.stdout


def _search(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulate.planted", "--jobs", "1", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
