"""`ctxprov apply`: make it so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import click

from provisioner.cli import clock, options, terminal
from provisioner.cli.approvals import approval_by, expect_option, plan_option
from provisioner.cli.carry_out import Errand, carry_out
from provisioner.cli.outputs import Out, out_option, with_json
from provisioner.cli.place import place_of
from provisioner.cli.read_stack import read_stack
from provisioner.cli.status import Status
from provisioner.resolver import read_content


@click.command("apply")
@options.stack_argument
@options.emulator_option
@options.auto_approve_option
@plan_option
@expect_option
@options.prune_option
@options.replace_option
@options.allow_empty_option
@options.accept_scope_option
@options.parallelism_option
@options.lock_timeout_option
@options.target_option
@options.exclude_option
@options.models_option
@options.json_option
@out_option
@options.colour_option
@options.log_option
def command(
    stack: Path,
    *,
    emulator: bool,
    auto_approve: bool,
    plan_file: Path | None,
    expect: str | None,
    prune: bool,
    replace: tuple[str, ...],
    allow_empty: bool,
    accept_scope: bool,
    parallelism: int,
    lock_timeout: timedelta,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    models: Path | None,
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """
    Create, refresh, replace and retire caches to match the manifest.

    Shows the plan and asks before it changes anything. New caches are made, recorded and
    published before an old one is retired. What fails is tried again by the next run.

    \b
    Examples:
      ctxprov apply
      ctxprov apply examples/support-bot --emulator
      ctxprov apply --auto-approve --lock-timeout 5m
      ctxprov apply --replace product-manual
      ctxprov apply --plan plan.json
    """
    manifest, desired = read_stack(stack, models=models, now=clock.now(), allow_empty=allow_empty)
    options.check_names(replace, desired)
    approve = approval_by(plan_file, expect, stack=manifest.stack)
    if approve and prune:
        raise click.UsageError("--prune deletes what no plan lists for approval: run it by itself.")
    errand = Errand(
        operation="apply",
        stack=manifest.stack,
        place=place_of(manifest, emulator=emulator),
        wishes=lambda _: desired,
        read=lambda want: read_content(manifest, want),
        approve=approve or (lambda _: None),
        auto_approve=auto_approve or approve is not None,
        accept_scope=accept_scope,
        parallelism=parallelism,
        lock_timeout=lock_timeout,
        colour=terminal.wants_colour(colour),
        prune=prune,
        replace=replace,
        refine=lambda told: options.choose(told, targets, excludes),
        outs=with_json(outs, as_json=as_json),
    )
    return asyncio.run(carry_out(errand))
