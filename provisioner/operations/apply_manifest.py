"""What an apply or a destroy of one stack is to do, by the manifest or by a name alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from provisioner.approval import Approval
from provisioner.catalog import load_catalog
from provisioner.errors import Refused
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.records import DesiredCache
from provisioner.model.stack_settings import Breach
from provisioner.operations import checkout
from provisioner.operations.approvals import approval_by
from provisioner.operations.count_tokens import remembered, with_counts
from provisioner.operations.decision import ApplyRequest
from provisioner.operations.drift import warn_of_folder
from provisioner.operations.load import load_stack
from provisioner.operations.plan import beyond, check_names, choose, hold
from provisioner.operations.session import Session
from provisioner.operations.stack_location import (
    location_by,
    location_named,
    location_of,
    no_owners,
    owners_beside,
    recorded,
)
from provisioner.resolver.content import content_reader


class RunRequest(Struct, frozen=True, kw_only=True):
    """What is asked of a run that changes things; the first half is asked of an apply alone."""

    plan_file: Path | None = None
    """A plan in JSON, whose edits are approved."""
    expect: Approval | None = None
    replace: tuple[str, ...] = ()
    allow_empty: bool = False
    allow_older: bool = False
    overrides: tuple[str, ...] = ()
    auto_approve: bool
    prune: bool
    parallelism: int
    lock_timeout: timedelta
    targets: tuple[str, ...]
    excludes: tuple[str, ...]


def apply_request(session: Session, stack: Path, asked: RunRequest) -> ApplyRequest:
    """Make the live side match the manifest.  Raises CtxprovError, and Misuse for wrong names."""
    ports, options = session.ports, session.options
    manifest, desired = load_stack(session, stack, now=ports.now(), allow_empty=asked.allow_empty)
    check_names(asked.replace, desired)
    checkout.check_destinations(manifest, with_state=options.address is None)
    approval = approval_by(asked.plan_file, asked.expect, stack=manifest.stack)
    overrides = {*asked.overrides, *(approval.limits if approval else ())}
    revision = checkout.revision_here(ports, manifest.root)
    prices = load_catalog(options.models).find

    def breaches(plan: Plan, state: State) -> tuple[Breach, ...]:
        return beyond(plan, manifest, state.stack_settings, prices=prices, overrides=overrides)

    def check(plan: Plan, state: State) -> None:
        hold(ports.console, breaches(plan, state))
        if not asked.allow_older and (
            reason := checkout.why_older(ports, manifest.root, plan, state.last_edit)
        ):
            raise Refused(reason)

    location = location_of(session, manifest)
    warn_of_folder(session, location, manifest.stack)
    return ApplyRequest(
        operation="apply",
        stack=manifest.stack,
        commit=revision.commit if revision else None,
        location=location,
        wishes=lambda _: with_counts(desired, remembered(location.backend, manifest.stack)),
        read=content_reader(manifest, desired),
        manifest=manifest,
        approval=approval,
        breaches=breaches,
        check=check,
        settings=manifest.settings,
        settle=partial(location_by, session, manifest),
        revision=revision,
        auto_approve=asked.auto_approve or approval is not None,
        parallelism=asked.parallelism,
        lock_timeout=asked.lock_timeout,
        prune=asked.prune,
        replace=asked.replace,
        renames=manifest.moved,
        owners=owners_beside(session, stack, manifest.stack),
        refine=lambda plan: choose(plan, asked.targets, asked.excludes),
    )


def destroy_request(
    session: Session,
    stack: Path,
    asked: RunRequest,
    *,
    name: str | None = None,
    key_envs: Mapping[str, str],
) -> ApplyRequest:
    """Delete all that is on record of the stack in a folder, or of the one with this *name*."""
    if name:
        location = location_named(session, name, key_envs)
    else:
        frame, location, _ = recorded(session, stack)
    return ApplyRequest(
        operation="destroy",
        stack=name or frame.stack,
        commit=None if name else checkout.commit_here(session.ports, stack),
        location=location,
        wishes=lambda _: (),
        read=_nothing_to_read,
        auto_approve=asked.auto_approve,
        parallelism=asked.parallelism,
        lock_timeout=asked.lock_timeout,
        destroy=True,
        prune=asked.prune,
        owners=no_owners if name else owners_beside(session, stack, frame.stack),
        refine=lambda plan: choose(plan, asked.targets, asked.excludes),
    )


def _nothing_to_read(want: DesiredCache) -> NoReturn:
    raise AssertionError(want)
