"""A type name is one type, over the whole package."""

from __future__ import annotations

from pathlib import Path

from benchmarks.house import House


def test_one_name_one_type() -> None:
    """No two modules define a type of one name, private or public, the emulator's aside."""
    house = House.at(Path(__file__).parents[1])

    assert house.shared_types() == []
