"""
Edits that are not approved, so that a reviewer sees what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioner.escape import plain
from provisioner.model import After
from provisioner.render.difference import edit_differences


def objection_lines(
    objections: Iterable[tuple[str, After | None, After | None]], settings: Iterable[str] = ()
) -> Iterator[str]:
    """A line for each name with its approved and its present *after*, and for what differs."""
    for name, approved, wanted in objections:
        if approved is None or wanted is None or approved == wanted:
            yield f"  {plain(name)}: is not among the approved edits"
            continue
        yield f"  {plain(name)}: is not as it was approved"
        for one in edit_differences(approved, wanted):
            yield plain(f"    {one.where}: {one.before or 'none'} → {one.after or 'none'}")
    for key in settings:
        yield f"  setting {plain(key)}: is not among the approved edits"
