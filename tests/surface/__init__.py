"""
The surface of ctxprov, frozen: all that users, scripts and importing programs depend on.

Each part is a table, a name to a value, that is made from the product and compared with a file in
`golden/`.  `python -m tests.surface`, run at the top of the repository, writes the files again:
that moves what is frozen, and only a release does that.  A difference that is meant is a row of
`CHANGED` in `tests/test_surface.py`.  Where a module lies is no part of the surface.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.surface.commands import commands
from tests.surface.documents import documents
from tests.surface.environment import variables
from tests.surface.python import names
from tests.surface.schemas import schema_paths, schemas
from tests.surface.statuses import statuses

Table = dict[str, Any]
"""The names of one part, each with what is promised of it."""

GOLDEN = Path(__file__).parent / "golden"

PARTS: Mapping[str, Callable[[], Table]] = MappingProxyType(
    {
        "commands": commands,
        "documents": documents,
        "environment": variables,
        "python": names,
        "schema-paths": schema_paths,
        "schemas": schemas,
        "statuses": statuses,
    }
)


def encoded(table: Table) -> str:
    """Return *table* as JSON, a line for each name, so that a difference is a line."""
    lines = (
        f"  {json.dumps(key, ensure_ascii=False)}: "
        + json.dumps(table[key], ensure_ascii=False, sort_keys=True)
        for key in sorted(table)
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def golden(part: str) -> Table:
    """Read the frozen table of *part*."""
    table: Table = json.loads((GOLDEN / f"{part}.json").read_text(encoding="utf-8"))
    return table


def freeze() -> None:
    """Write every part as the product is now."""
    GOLDEN.mkdir(exist_ok=True)
    for part, table in PARTS.items():
        (GOLDEN / f"{part}.json").write_text(encoded(table()), encoding="utf-8")
