"""JSON bytes."""

from __future__ import annotations

import json
from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest

from provisioner.cache import Json
from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.encoding import json_bytes

_ENDLESS: dict[str, Any] = {}
_ENDLESS["again"] = _ENDLESS


def test_any_mapping_and_sequence() -> None:
    """Every mapping is written as an object, and every sequence as a list."""
    value: Json = {"a": MappingProxyType({"b": (1, UserDict({"c": None}))}), "ä": range(2)}

    assert json.loads(json_bytes(value)) == {"a": {"b": [1, {"c": None}]}, "ä": [0, 1]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "valid Unicode"),
        ([float("nan")], "not JSON compliant"),
        (_ENDLESS, "Circular"),
        ([{1, 2}], "set has no form in JSON"),
    ],
)
def test_what_json_cannot_hold(value: Any, reason: str) -> None:  # noqa: ANN401 - anything at all
    """What cannot be sent is the caller's mistake, and is named."""
    with pytest.raises(InvalidCacheConfiguration, match=reason):
        json_bytes(value)
