"""`ctxprov changed`: which stacks of a repository a branch edits."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath

import click

from provisioner.catalog import Catalog, load_catalog
from provisioner.cli import clock, options
from provisioner.cli.base import declared, plan_against
from provisioner.cli.git import exported, merge_base, root_of, stacks_at, stacks_here
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError
from provisioner.render.escape import json_text, plain
from provisioner.resolver import load_and_resolve


@click.command("changed")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--base", required=True, metavar="REF", help="Compare with the merge base of REF.")
@options.models_option
@options.json_option
def command(folder: Path, base: str, *, models: Path | None, as_json: bool) -> Status:
    """
    List the stacks that a branch edits.

    Looks at the whole repository around FOLDER; paths count from its top. With --json the
    list is a matrix for CI jobs, one job per stack and environment; env is empty where there
    are none. What cannot be read or is not declared any more counts as edited, so that its job
    says what is wrong. Needs no key and no state.

    \b
    Examples:
      ctxprov changed --base origin/main
      ctxprov changed --base origin/main --json
    """
    root = root_of(folder)
    now = clock.now()
    catalog = load_catalog(models)
    commit = merge_base(root, base)
    edited = [
        (str(one), environment)
        for one in sorted({*stacks_here(root), *stacks_at(root, commit)})
        for environment in _edited(root, one, commit, catalog, now)
    ]
    if as_json:
        rows = [{"stack": stack, "env": environment or ""} for stack, environment in edited]
        click.echo(json_text({"include": rows}), nl=False)
    else:
        for stack, environment in edited:
            click.echo(plain(f"{stack} --env {environment}" if environment else stack))
    return Status.OK


def _edited(
    root: Path, stack: PurePosixPath, commit: str, catalog: Catalog, now: datetime
) -> list[str | None]:
    """Which environments of *stack* are another here than in *commit*; None if it has none."""
    here = root / stack
    with exported(root, commit, stack) as there:
        known = dict.fromkeys((*declared(here), *(declared(there) if there else ())))
        return [one for one in known if there is None or _differs(here, there, one, catalog, now)]


def _differs(
    here: Path, there: Path, environment: str | None, catalog: Catalog, now: datetime
) -> bool:
    try:
        (new, after), (old, before) = (
            load_and_resolve(place, catalog, environment=environment, now=now)
            for place in (here, there)
        )
    except CtxprovError:
        return True
    told = plan_against(new, after.desired, before.desired, settings=old.settings, now=now)
    return bool(told.digests) or old.stack != new.stack
