"""
Edits that nobody approved, told so that a reviewer sees what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioner.model import After
from provisioner.render.difference import edit_differences
from provisioner.render.escape import plain


def objection_lines(
    objections: Iterable[tuple[str, After | None, After | None]],
) -> Iterator[str]:
    """A line for each name with its approved and its present *after*, and for what differs."""
    for name, approved, wanted in objections:
        match approved, wanted:
            case After(), After():
                yield f"  {plain(name)}: is not as it was approved"
                for one in edit_differences(approved, wanted):
                    told = f"{one.where}: {one.before or 'none'} → {one.after or 'none'}"
                    yield f"    {plain(told)}"
            case None, After():
                yield f"  {plain(name)}: was not declared in the approved plan"
            case After(), None:
                yield f"  {plain(name)}: the approved plan keeps it as it is"
            case _:
                yield f"  {plain(name)}: the approved plan does not touch it"
