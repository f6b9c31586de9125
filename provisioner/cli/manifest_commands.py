"""
Options and help of what needs no key: `init`, `validate`, `forecast` and `schema`.

What a command does is imported when it is called.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from provisioner.cli import console, options
from provisioner.cli.status import Status


@click.command("init")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--stack", metavar="NAME", help="The stack's name; by default made of the folder's.")
@options.calls("init", "init_stack")
def init_command() -> None:
    """
    Write a small stack to start from.

    Makes a manifest with one live cache, its content, the schema that editors complete
    from, and a .gitignore. What exists already is left as it is.

    \b
    Examples:
      ctxprov init
      ctxprov init stacks/support-bot --stack support-bot
    """


@click.command("validate")
@options.stacks_argument
@options.env_option
@options.models_option
@click.option(
    "--every",
    type=options.duration(at_least=timedelta(minutes=1)),
    metavar="DURATION",
    help="Check also whether a run this often keeps every cache warm.",
)
@options.calls("validate", "validate_stacks")
def validate_command() -> None:
    """
    Check a stack offline, without a key.

    Reads ctxprov.yaml and every content file it names and reports all problems at once,
    each with its place. Exits 1 if there is one; warnings alone do not fail. Without --env
    it checks every environment, and reports a problem of all of them once.

    \b
    Examples:
      ctxprov validate
      ctxprov validate examples/support-bot
      ctxprov validate stacks/* --every 30m
    """


@click.command("forecast")
@options.stacks_argument
@options.env_option
@click.option(
    "--for",
    "span",
    type=options.duration(),
    default="7d",
    show_default=True,
    metavar="DURATION",
    help="Look this far ahead.",
)
@click.option(
    "--every",
    type=options.duration(at_least=timedelta(minutes=1)),
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="Run the schedule this often.",
)
@click.option(
    "--miss-rate",
    type=options.share,
    default="0%",
    show_default=True,
    metavar="PERCENT",
    help="Miss this share of the runs.",
)
@options.models_option
@options.json_option
@options.each_stack("forecast", "forecast_stack")
def forecast_command() -> None:
    """
    Simulate what a schedule will do with a stack.

    Uses the planner itself on a simulated clock: how often each cache is refreshed, made
    again, for how long it is cold, and what all that costs. It begins at this machine's clock,
    makes no request and needs no key.

    \b
    Examples:
      ctxprov forecast
      ctxprov forecast --for 30d --every 1h --miss-rate 5%
      ctxprov forecast stacks/* --json
    """


@click.command("schema")
@click.argument(
    "name",
    type=click.Choice(("manifest", "plan", "state", "history", "handles", "models")),
    default="manifest",
)
def schema_command(name: str) -> Status:
    """
    Print a JSON Schema: of manifest, plan, state, history, handles or models.

    \b
    Examples:
      ctxprov schema > manifest.schema.json
      ctxprov schema plan
    """
    from provisioner.files import schema_bytes

    console.output_is_the_work()
    console.document(schema_bytes(name), form="json")
    return Status.OK
