"""`ctxprov validate`: everything that can be known without asking anybody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from provisioner.cli import clock, options
from provisioner.cli.expand import expanded
from provisioner.cli.failure import tell_error
from provisioner.cli.read_stack import read_stack
from provisioner.cli.schedule import schedule_of
from provisioner.cli.status import Status, first_of
from provisioner.errors import CtxprovError
from provisioner.manifest import environments_of
from provisioner.render.escape import plain


@click.command("validate")
@options.stacks_argument
@options.env_option
@options.models_option
@click.option(
    "--every",
    type=options.Duration(at_least=timedelta(minutes=1)),
    metavar="DURATION",
    help="Say also whether a schedule that runs so often keeps everything warm.",
)
def command(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    models: Path | None,
    every: timedelta | None,
) -> Status:
    """
    Check a stack; asks nobody, needs no key.

    Reads ctxprov.yaml and every content file it names and reports all problems at once,
    each with its place. Exits 1 if there is one; warnings alone do not fail. Without --env
    every environment is checked.

    \b
    Examples:
      ctxprov validate
      ctxprov validate examples/support-bot
      ctxprov validate stacks/* --every 30m
    """
    return first_of(
        *(
            _validate(stack, one, models, every)
            for stack in expanded(stacks)
            for one in _environments(stack, environment)
        )
    )


def _environments(stack: Path, environment: str | None) -> tuple[str | None, ...]:
    return (environment,) if environment else environments_of(stack) or (None,)


def _validate(
    stack: Path, environment: str | None, models: Path | None, every: timedelta | None
) -> Status:
    try:
        manifest, desired = read_stack(
            stack,
            environment=environment,
            models=models,
            now=clock.now(),
            allow_empty=True,
            warnings=None,
        )
    except CtxprovError as error:
        return tell_error(error)
    count = len(desired)
    where = plain(f"{manifest.path}, {environment}" if environment else str(manifest.path))
    click.echo(f"{where}: {count} cache{'s' * (count != 1)}, no problems.")
    if every:
        click.echo(schedule_of(desired, every))
    return Status.OK
