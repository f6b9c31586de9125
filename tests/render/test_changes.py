"""Each format shows each kind of change as it was reviewed."""

from __future__ import annotations

from typing import get_args

import pytest

from provisioner.model.changes import Change
from tests.render.changes import CHANGES, FOLDER, FORMATS, shown


@pytest.mark.parametrize("name", FORMATS)
def test_every_change(name: str) -> None:
    """The golden document of a format shows each kind of change as the format does now."""
    assert shown(FORMATS[name]) == (FOLDER / name).read_text(encoding="utf-8")


def test_no_kind_is_missing() -> None:
    """The golden documents show every kind of change."""
    assert {type(change) for change in CHANGES} == set(get_args(Change))
