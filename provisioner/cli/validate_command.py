"""`ctxprov validate`: everything that can be known without asking anybody."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import clock, options
from provisioner.cli.read_stack import read_stack
from provisioner.cli.status import Status
from provisioner.render.escape import plain


@click.command("validate")
@options.stack_argument
@options.models_option
def command(stack: Path, models: Path | None) -> Status:
    """
    Check a stack; asks nobody, needs no key.

    Reads ctxprov.yaml and every content file it names and reports all problems at once,
    each with its place. Exits 1 if there is one; warnings alone do not fail.

    \b
    Examples:
      ctxprov validate
      ctxprov validate examples/support-bot
    """
    manifest, desired = read_stack(stack, models=models, now=clock.now(), allow_empty=True)
    count = len(desired)
    click.echo(f"{plain(str(manifest.path))}: {count} cache{'s' * (count != 1)}, no problems.")
    return Status.OK
