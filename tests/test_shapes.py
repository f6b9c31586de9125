"""Schemas are found where they are shipped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from provisioner import shapes
from provisioner.shapes import schema_bytes
from tests.schemas import DOCUMENTS, Document, schema_text


@pytest.mark.parametrize("name", ["manifest", "models"])
def test_schema(name: str) -> None:
    """Every schema is a JSON Schema of the 2020-12 kind."""
    schema = json.loads(schema_bytes(name))

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_schema_is_made_from_its_struct(document: Document) -> None:
    """A published schema is what `python -m tests.schemas` makes of the document's struct."""
    assert schema_bytes(document.name).decode() == schema_text(document)


def test_missing() -> None:
    """A schema that does not exist is not found."""
    with pytest.raises(FileNotFoundError):
        schema_bytes("nonsense")


def test_installed(tmp_path: Path) -> None:
    """In a wheel, schemas lie inside of the package."""
    package = tmp_path / "provisioner"
    (package / "schemas").mkdir(parents=True)
    (package / "schemas" / "plan.schema.json").write_text("shipped")
    shutil.copy(shapes.__file__, package)
    (package / "__init__.py").touch()
    code = "from provisioner.shapes import schema_bytes; print(schema_bytes('plan').decode())"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "shipped\n"
