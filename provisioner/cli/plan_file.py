"""A plan in a file, which may come from somebody who is not trusted."""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import CtxprovError
from provisioner.files import read_whole
from provisioner.reading import plan_views_from_json
from provisioner.view.plan import PlanView


def plan_views(file: Path) -> tuple[PlanView, ...]:
    """The plan in *file*, or those of several stacks.  Raises CtxprovError for anything else."""
    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise CtxprovError(f"{file} cannot be read: {error.strerror}.") from error
    return plan_views_from_json(raw, where=str(file))
