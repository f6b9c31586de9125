"""`ctxprov destroy`: apply with nothing desired."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from provisioner.catalog import load_catalog
from provisioner.cli import terminal
from provisioner.cli.apply import apply_stack
from provisioner.cli.checkout import commit_here
from provisioner.cli.decision import ApplyRequest
from provisioner.cli.messages import tell
from provisioner.cli.options import Out, choose, with_json
from provisioner.cli.other_environments import owners_beside
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.stack_names import check_stack, keys_of
from provisioner.cli.status import Status
from provisioner.cli.target import StackLocation, location_at, location_of
from provisioner.manifest.stack import load_frame
from provisioner.model.records import DesiredCache
from provisioner.state import read_state, state_name


def destroy_stacks(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    name: str | None,
    key_envs: Mapping[str, str],
    auto_approve: bool,
    prune: bool,
    accept_scope: bool,
    parallelism: int,
    lock_timeout: timedelta,
    max_wait: timedelta,
    models: Path | None,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """Delete every recorded cache of a stack."""

    if name:
        _check(name, stacks, environment, address)

    def located(stack: Path) -> tuple[str, StackLocation]:
        if name and address:
            return name, _without_manifest(name, address, key_envs, emulator=emulator)
        frame = load_frame(stack, environment=environment)
        return frame.stack, location_of(frame, address=address, emulator=emulator)

    async def work(stack: Path, session: Session) -> StackOutcome:
        whose, location = located(stack)
        request = ApplyRequest(
            operation="destroy",
            stack=whose,
            commit=None if name else commit_here(stack),
            location=location,
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
            owners=dict
            if name
            else owners_beside(stack, whose, address=address, emulator=emulator),
            refine=lambda plan: choose(plan, targets, excludes),
        )
        return await apply_stack(request, session)

    chosen = (Path(name),) if name else stacks
    return over_stacks(chosen, work, outs=with_json(outs, as_json=as_json), max_wait=max_wait)


def _check(
    name: str, stacks: tuple[Path, ...], environment: str | None, address: str | None
) -> None:
    check_stack(name)
    if stacks != (Path(),) or environment:
        raise click.UsageError("--stack names the stack and its environment: give neither besides.")
    if not address:
        raise click.UsageError("--stack needs the place of the state: --state ADDRESS.")


def _without_manifest(
    name: str, address: str, key_envs: Mapping[str, str], *, emulator: bool
) -> StackLocation:
    backend = location_at(address, {}, emulator=emulator).backend
    state = read_state(backend, stack=name)
    if not (state.caches or state.retiring or state.stack_settings):
        tell(f"warning: Nothing is on record in {backend.where(state_name(name))}: check the name.")
        return location_at(address, keys_of(state, key_envs), emulator=emulator)
    published = state.stack_settings.publish if state.stack_settings else None
    tell(
        f"The handles that {name} published{f' in {published}' if published else ''} are not "
        "rewritten: delete that file once no program reads it."
    )
    return location_at(address, keys_of(state, key_envs), emulator=emulator)


def _nothing_to_read(want: DesiredCache) -> NoReturn:
    raise AssertionError(want)
