"""`ctxprov schema`: the JSON Schemas that ship with this version."""

from __future__ import annotations

import click

from provisioner.cli import console
from provisioner.cli.status import Status
from provisioner.shapes import schema_bytes

NAMES = ("manifest", "plan", "state", "history", "handles", "models")


@click.command("schema")
@click.argument("name", type=click.Choice(NAMES), default="manifest")
def command(name: str) -> Status:
    """
    Print a JSON Schema: of manifest, plan, state, history, handles or models.

    \b
    Examples:
      ctxprov schema > manifest.schema.json
      ctxprov schema plan
    """
    console.output_is_the_work()
    console.document(schema_bytes(name), form="json")
    return Status.OK
