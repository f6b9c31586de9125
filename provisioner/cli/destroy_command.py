"""`ctxprov destroy`: apply with nothing desired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from provisioner.catalog import load_catalog
from provisioner.cli import options, terminal
from provisioner.cli.carry_out import Errand, carry_out
from provisioner.cli.checkout import commit_here
from provisioner.cli.outputs import Out, out_option, with_json
from provisioner.cli.place import place_of
from provisioner.cli.stacks import Ended, Run, over_stacks
from provisioner.cli.status import Status
from provisioner.manifest import load_frame
from provisioner.model import DesiredCache


@click.command("destroy")
@options.stacks_argument
@options.env_option
@options.emulator_option
@options.state_option
@options.auto_approve_option
@options.prune_option
@options.accept_scope_option
@options.parallelism_option
@options.lock_timeout_option
@options.models_option
@options.target_option
@options.exclude_option
@options.json_option
@out_option
@options.colour_option
@options.log_option
def command(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    auto_approve: bool,
    prune: bool,
    accept_scope: bool,
    parallelism: int,
    lock_timeout: timedelta,
    models: Path | None,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """
    Delete every recorded cache of a stack.

    Shows what would go and asks. Protected caches stay; the manifest's limits do not hold, for
    who destroys means it. The content files need not be there any more. Running applications
    lose their caches at once; to let caches run out instead, remove them from the manifest
    and apply.

    \b
    Examples:
      ctxprov destroy examples/support-bot --emulator
      ctxprov destroy --prune --auto-approve
    """

    async def work(stack: Path, run: Run) -> Ended:
        frame = load_frame(stack, environment=environment)
        errand = Errand(
            operation="destroy",
            stack=frame.stack,
            commit=commit_here(stack),
            place=place_of(frame, address=address, emulator=emulator),
            wishes=lambda _: (),
            read=_nothing_to_read,
            prices=load_catalog(models).find,
            auto_approve=auto_approve,
            accept_scope=accept_scope,
            parallelism=parallelism,
            lock_timeout=lock_timeout,
            colour=terminal.wants_colour(colour),
            destroy=True,
            recorded=True,
            prune=prune,
            refine=lambda told: options.choose(told, targets, excludes),
        )
        return await carry_out(errand, run)

    return over_stacks(stacks, work, outs=with_json(outs, as_json=as_json))


def _nothing_to_read(want: DesiredCache) -> NoReturn:
    raise AssertionError(want)
