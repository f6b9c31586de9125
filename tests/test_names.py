"""A type name is one type, over the whole package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "provisioner"
TWIN = PACKAGE / "emulator"
"""Its wire code repeats ours on purpose, and so do its names."""

REMAINING = frozenset(
    {
        "Asked",
        "Count",
        "Decide",
        "Draft",
        "Duration",
        "Edit",
        "Look",
        "Mark",
        "Moment",
        "Rent",
        "Row",
        "Side",
        "Spots",
        "Step",
    }
)
"""Names that several types still share.  The list only shrinks."""


def types_in(source: str) -> Iterator[str]:
    """The classes, aliases, enums and protocols at the top of a module; private ones aside."""
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name
            case _:
                pass


def test_one_name_one_type() -> None:
    """No two modules define a type of one name, the emulator's aside."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if TWIN not in path.parents:
            for name in types_in(path.read_text()):
                places[name].append(str(path.relative_to(ROOT)))
    shared = {
        name: paths
        for name, paths in places.items()
        if len(paths) > 1 and name not in REMAINING and not name.startswith("_")
    }

    assert shared == {}
