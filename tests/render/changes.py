"""
How each format shows each kind of change: one golden document for each.

`python -m tests.render.changes` writes them as they are now; the difference is what to review.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from provisioner.escape import json_text
from provisioner.model.changes import Change, Move, Reason
from provisioner.planner import decision_table as table
from provisioner.render.github import plan_annotations
from provisioner.render.html.page import plan_article
from provisioner.render.markdown import plan_markdown
from provisioner.render.plan_table import plan_text
from provisioner.view.plan import PlanView
from tests.builders import recorded
from tests.render.fixtures import GOLDEN, PLAN, plan_of, view

FOLDER = GOLDEN / "changes"
CHANGES = (*PLAN.changes, Move("renamed", recorded(), Reason.MOVED, table.MOVED))
_COLOUR = re.compile("\x1b\\[([0-9;]*)m")

FORMATS: Mapping[str, Callable[[PlanView], str]] = MappingProxyType(
    {
        "text.txt": lambda plan: plan_text(plan, width=100, colour=False, verbose=True),
        "colour.txt": lambda plan: _COLOUR.sub(
            r"<\1>", plan_text(plan, width=80, colour=True, verbose=False)
        ),
        "markdown.md": plan_markdown,
        "page.html": lambda plan: plan_article(plan).replace("><", ">\n<") + "\n",
        "annotations.txt": lambda plan: plan_annotations(plan, {}),
        "plan.json": json_text,
    }
)


def name_of(change: Change) -> str:
    """`replace-content-product-manual`."""
    return f"{change.verb}-{change.reason.name.lower()}-{change.name}"


def shown(spell: Callable[[PlanView], str]) -> str:
    """A section for each kind of change, and for each of its reasons that reads differently."""
    return "\n".join(
        f"==== {name_of(change)}\n{spell(view(plan_of(change)))}" for change in CHANGES
    )


def freeze() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, spell in FORMATS.items():
        (FOLDER / name).write_text(shown(spell), encoding="utf-8")


if __name__ == "__main__":
    freeze()
