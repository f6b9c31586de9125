"""
The published schemas accept and refuse what those of an earlier release did, and are found.

`frozen_schemas/` holds the schemas that were written by hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from provisioner import files, runtime
from provisioner.cache import OpenAIHandle
from provisioner.files import schema_bytes
from provisioner.handles import handles_bytes
from provisioner.model.facts import ApprovedEdits, Disappearance, Revision, Scope
from provisioner.model.stack_settings import Bound, Limits, StackSettings
from provisioner.state.history import PastRun, history_bytes
from provisioner.state.state_file import state_bytes
from tests.builders import NOW, annotation, desired, noted, recorded, retiring, state
from tests.corpus import variants
from tests.schemas import DOCUMENTS, Document, schema_of, schema_text

FROZEN = Path(__file__).with_name("frozen_schemas")
RUN = PastRun(
    run="r1",
    who="me@here",
    operation="apply",
    at="2026-01-01T12:00:00Z",
    commit="c0ffee",
    job="https://ci.example.test/1",
    fingerprint="f00d",
    outcome="well",
    kept=3,
)
SETTINGS = StackSettings(
    limits=Limits(rent_per_hour=Bound(Decimal("1.5"), None)),
    key_envs={"gemini": "GEMINI_API_KEY"},
    publish="handles.json",
    state="ab" * 32,
)
STATE = state(
    recorded(desired("manual")),
    noted(annotation("policy")),
    noted(annotation("triage", provider="openai", handle=OpenAIHandle("k", {"ttl": "30m"}))),
    noted(annotation("old", provider="openai", handle=OpenAIHandle("k", None, "24h"))),
    retiring=[retiring(desired("manual"))],
    providers={"gemini": Scope(endpoint="https://example.test/v1beta", keys=("ab" * 8,))},
    serial=7,
    run="r1",
    stack_settings=SETTINGS,
    given={"cachedContents/given": "other.prod"},
    disappeared={"gemini": Disappearance(since=NOW, failed=True, remade=("cachedContents/1",))},
    moved_to="new",
    moved_from="old",
    rested={"manual": "ab" * 32},
    approved=ApprovedEdits(fingerprint="cd" * 32, digests=("ef" * 32,)),
    last_edit=Revision(commit="0" * 40, committed_at=NOW + timedelta(microseconds=1)),
)
FRAME = {
    "$schema": "../schemas/models.schema.json",
    "version": 1,
    "as_of": "2026-11-22",
    "about": "How to read this.",
    "sources": {"a": {"title": "A", "url": "https://example.test/a", "read": "2026-10"}},
}
GEMINI = {
    "provider": "gemini",
    "name": "g",
    "match": ["g-*"],
    "min_tokens": 7,
    "explicit_caching": True,
    "retires_on": "2030-01-31",
    "note": "n",
    "sources": ["a"],
    "prices": [
        {
            "valid_from": None,
            "valid_to": "2030-01-31",
            "as_of": "2026-11-22",
            "source": "a",
            "confidence": "low",
            "note": "n",
            "rates": [{"above": 0, "input": 1, "cached_input": 0.1, "storage_per_hour": 1}],
        }
    ],
}
ANNOTATED = [
    {
        "provider": provider,
        "name": provider,
        "min_tokens": None,
        "request_field": request_field,
        "default_ttl": "30m",
        "ttls": [{"ttl": "30m", "sent_as": "x", "write": 1.25, "apis": ["chat"]}],
        "retires_on": None,
        "sources": ["a"],
        "prices": [
            {
                "valid_from": None,
                "valid_to": None,
                "as_of": "2026-11-22",
                "source": "a",
                "rates": [{"above": 0, "input": 1, "cached_input": 0.1}],
            }
        ],
    }
    for provider, request_field in (
        ("claude", "cache_control"),
        ("openai", "prompt_cache_options"),
    )
]
GOLDEN: Mapping[str, Sequence[bytes]] = {
    "handles": (handles_bytes(STATE, hidden=(), now=NOW),),
    "history": (history_bytes("demo", (RUN,)),),
    "models": [json.dumps({**FRAME, "models": [model]}).encode() for model in (GEMINI, *ANNOTATED)],
    "state": (state_bytes(STATE),),
}
"""A document of each kind that has every key."""
STRICTER: Mapping[str, frozenset[str]] = {"history": frozenset({"$.runs[*].kept"})}
"""What the schema accepted and the reader refused: a serial beyond 2^53."""


@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if document.name in GOLDEN],
    ids=lambda document: document.name,
)
def test_the_same_documents_are_accepted(document: Document) -> None:
    """Each golden document, and each with one value changed, is accepted as before or refused."""
    frozen = (FROZEN / f"{document.name}.schema.json").read_text("utf-8")
    before = jsonschema_rs.validator_for(frozen)
    now = jsonschema_rs.validator_for(schema_of(document))
    stricter = STRICTER.get(document.name, frozenset())
    for raw in GOLDEN[document.name]:
        golden = json.loads(raw)
        assert now.is_valid(golden)

        differing = {
            (place, change)
            for place, change, variant in variants(golden)
            if before.is_valid(variant) is not now.is_valid(variant)
        }

        assert {place for place, _ in differing} <= stricter, differing


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
    shutil.copy(files.__file__, package)
    shutil.copy(runtime.__file__, package)
    (package / "__init__.py").touch()
    code = "from provisioner.files import schema_bytes; print(schema_bytes('plan').decode())"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "shipped\n"
