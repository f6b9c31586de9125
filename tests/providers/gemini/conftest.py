"""A world for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.gemini.world import World, emulated


@pytest.fixture
def world() -> Iterator[World]:
    with emulated() as made:
        yield made
