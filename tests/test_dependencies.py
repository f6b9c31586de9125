"""What `pyproject.toml` asks of other projects."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())


def requirements() -> Iterator[str]:
    yield from PYPROJECT["build-system"]["requires"]
    yield from PYPROJECT["project"]["dependencies"]
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        yield from (one for one in extra if not one.startswith("ctxprov["))


@pytest.mark.parametrize("requirement", sorted(set(requirements())))
def test_a_major_version_at_most(requirement: str) -> None:
    """A dependency is bounded from above, so that its next major version breaks no installation."""
    assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[\w+\])?(>=[0-9.]+,)?<[0-9.]+", requirement)
