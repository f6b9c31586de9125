"""Schemas are found where they are shipped."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from provisioner.shapes import schema_bytes


@pytest.mark.parametrize("name", ["manifest", "models"])
def test_schema(name: str) -> None:
    """Every schema is a JSON Schema of the 2020-12 kind."""
    schema = json.loads(schema_bytes(name))

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_missing() -> None:
    """A schema that does not exist is not found."""
    with pytest.raises(FileNotFoundError):
        schema_bytes("nonsense")
