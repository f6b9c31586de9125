"""`ctxprov changed`: which stacks of a repository a branch edits."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath

import click

from provisioner.catalog import load_catalog
from provisioner.cli import clock, options
from provisioner.cli.base import plan_against, stack_at_base
from provisioner.cli.git import merge_base, root_of, stacks_at, stacks_here
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError
from provisioner.manifest import environments_of
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
    are none. A stack that cannot be read counts as edited, so that its job says what is wrong.
    Needs no key and no state.

    \b
    Examples:
      ctxprov changed --base origin/main
      ctxprov changed --base origin/main --json
    """
    root = root_of(folder)
    now = clock.now()
    commit = merge_base(root, base)
    folders = sorted({*stacks_here(root), *stacks_at(root, commit)})
    edited = [
        (str(one), environment)
        for one in folders
        for environment in environments_of(root / one) or (None,)
        if _is_edited(root, one, base, environment=environment, models=models, now=now)
    ]
    if as_json:
        rows = [{"stack": stack, "env": environment or ""} for stack, environment in edited]
        click.echo(json_text({"include": rows}), nl=False)
    else:
        for stack, environment in edited:
            click.echo(plain(f"{stack} --env {environment}" if environment else stack))
    return Status.OK


def _is_edited(
    root: Path,
    folder: PurePosixPath,
    base: str,
    *,
    environment: str | None,
    models: Path | None,
    now: datetime,
) -> bool:
    here = root / folder
    if not (here / "ctxprov.yaml").exists():
        return True
    try:
        manifest, resolution = load_and_resolve(
            here, load_catalog(models), environment=environment, now=now
        )
        with stack_at_base(here, base, environment=environment, models=models, now=now) as before:
            if before is None:
                return True
            old, desired = before
            told = plan_against(manifest, resolution.desired, desired, now=now)
            return bool(told.edits) or old.stack != manifest.stack
    except CtxprovError:
        return True
