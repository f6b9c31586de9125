"""
The published schemas accept and refuse what those of an earlier release did.

`frozen_schemas/` holds the schemas that were written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from provisioner.cache import Json, OpenAIHandle
from provisioner.handles import handles_bytes
from provisioner.model import ApprovedEdits, Disappearance, Revision, Scope, StackSettings
from provisioner.model.limits import Bound, Limits
from provisioner.state import state_bytes
from provisioner.state.history import PastRun, history_bytes
from tests.builders import NOW, annotation, desired, noted, recorded, retiring, state
from tests.schemas import DOCUMENTS, Document, schema_of

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
GOLDEN: Mapping[str, bytes] = {
    "handles": handles_bytes(STATE, hidden=(), now=NOW),
    "history": history_bytes("demo", (RUN,)),
    "state": state_bytes(STATE),
}
"""A document of each kind that has every key."""
VALUES: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**53 + 1,
    "",
    "x",
    "X y",
    "a" * 9000,
    "2026-01-01T00:00:00",
    [],
    [None],
    ["x"],
    {},
    {"x": 1},
)
STRICTER: Mapping[str, frozenset[str]] = {"history": frozenset({"runs.0.kept"})}
"""What the schema accepted and the reader refused: a serial beyond 2^53."""


def variants(document: Json) -> Iterator[tuple[str, Json]]:
    """*document* with one key removed, added, retyped or out of bounds, and where."""
    for path, node in places(document, ()):
        for value in (*VALUES, *neighbours(node)):
            yield ".".join(map(str, path)), changed(document, path, value)


def places(node: Json, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Json]]:
    yield path, node
    children: Any = (
        node if isinstance(node, dict) else dict(enumerate(node if isinstance(node, list) else ()))
    )
    for key, child in children.items():
        yield from places(child, (*path, key))


def neighbours(node: Json) -> Iterator[Json]:
    match node:
        case dict():
            yield {**node, "warmed_at": "2027-01-01T00:00:00Z"}
            yield {**node, "Not A Name": next(iter(node.values()), 1)}
            yield from ({k: v for k, v in node.items() if k != key} for key in node)
        case list():
            yield [*node, *node]
            yield node[1:]
        case str():
            yield from (node + "x", node + "\n", node[1:], node.upper(), node * 20, node + "é")
        case int() | float():
            yield from (node + 1, -node, node + 0.5, str(node))
        case _:
            pass


def changed(document: Any, path: tuple[Any, ...], value: Json) -> Json:  # noqa: ANN401  # JSON
    if not path:
        return value
    copy = deepcopy(document)
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy  # type: ignore[no-any-return]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_same_documents_are_accepted(document: Document) -> None:
    """Each golden document, and each with one value changed, is accepted as before or refused."""
    before = jsonschema_rs.validator_for(
        (FROZEN / f"{document.name}.schema.json").read_text("utf-8")
    )
    now = jsonschema_rs.validator_for(schema_of(document))
    golden = json.loads(GOLDEN[document.name])
    assert now.is_valid(golden)

    differing = {
        f"{where}: {before.is_valid(variant)}"
        for where, variant in variants(golden)
        if before.is_valid(variant) is not now.is_valid(variant)
        and where not in STRICTER.get(document.name, ())
    }

    assert differing == set()
