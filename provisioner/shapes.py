"""
Where the JSON Schemas are: inside of the wheel, or at the top of a checkout.

Nothing here knows what a schema says.
"""

from __future__ import annotations

from pathlib import Path

_ROOM = Path(__file__).parent


def schema_bytes(name: str) -> bytes:
    """
    Read the schema *name*: `manifest`, `plan` and so on.

    Raises FileNotFoundError if there is none.
    """
    shipped = _ROOM / "schemas"
    folder = shipped if shipped.is_dir() else _ROOM.parent / "schemas"
    return (folder / f"{name}.schema.json").read_bytes()
