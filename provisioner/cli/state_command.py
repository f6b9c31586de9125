"""`ctxprov state`: look at what is remembered, and mend it by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click
from msgspec import Struct, to_builtins

from provisioner.cli import console, edit_state, options
from provisioner.cli.outputs import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.state_tables import tell_records, tell_runs
from provisioner.cli.status import Status
from provisioner.cli.target import StackLocation, location_of
from provisioner.cli.transfers import Side, transferred
from provisioner.cli.undeclared import backends_of
from provisioner.errors import Refused, StateError
from provisioner.escape import json_text, plain
from provisioner.files import read_whole
from provisioner.manifest import environments_of, load_frame
from provisioner.model import RecordedCache, State
from provisioner.state import (
    Transfer,
    given_cache,
    read_history,
    read_state,
    read_version,
    renamed_stack,
    serial_of,
    state_name,
)


class Where(Struct, frozen=True, kw_only=True):
    """Which stack's state, and where it is."""

    stack: str
    location: StackLocation


def _located(
    folder: Path, *, environment: str | None, emulator: bool, address: str | None
) -> Where:
    frame = load_frame(folder, environment=environment)
    location = location_of(frame, address=address, emulator=emulator)
    return Where(stack=frame.stack, location=location)


def _placed(command: Callable[..., Status]) -> Callable[..., Status]:
    """The options that say which state is meant."""
    return options.folder_option(_addressed(command))


def _placed_all(command: Callable[..., Status]) -> Callable[..., Status]:
    """The same for the states of several stacks."""
    return options.folders_option(_addressed(command))


def _addressed(command: Callable[..., Status]) -> Callable[..., Status]:
    """All of that but the folder."""
    for option in (options.state_option, options.emulator_option, options.env_option):
        command = option(command)
    return command


dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be; write nothing.")


@click.group("state")
def command() -> None:
    """
    Look at what is remembered of a stack, and mend it by hand.

    What writes takes the lock, keeps the state it replaces, and stands in the history. No
    command here asks a provider or touches a live cache.

    \b
    Examples:
      ctxprov state list
      ctxprov state mv old-name new-name --dry-run
      ctxprov state pull --serial 12 > earlier.json
      ctxprov state push demo.unsaved.json
      ctxprov state migrate s3://bucket/prefix
    """


@command.command("list")
@_placed_all
@options.json_option
def list_(*, folders: tuple[Path, ...], as_json: bool, **where: object) -> Status:
    """
    List what is on record by name, and what is retiring by id.

    \b
    Examples:
      ctxprov state list
      ctxprov state list --json
      ctxprov state list -C 'stacks/*'
    """

    async def work(stack: Path, session: Session) -> StackOutcome:
        at = _located(stack, **where)  # type: ignore[arg-type]  # click checked them
        state = read_state(at.location.backend, stack=at.stack)
        names = {"caches": sorted(state.caches), "retiring": sorted(state.retiring)}
        page = json_text({"stack": at.stack, "serial": state.serial, **names})
        session.pages.append(lambda _: page)
        if not session.is_quiet:
            tell_records(state, at.location.backend)
        return StackOutcome(status=Status.OK, summary=f"{len(state.caches)} on record")

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


@command.command("show")
@click.argument("name")
@_placed
def show(name: str, **where: object) -> Status:
    """
    Print one record as it stands in the state.

    \b
    Examples:
      ctxprov state show product-manual
    """
    at = _located(**where)  # type: ignore[arg-type]  # click checked them
    console.document(
        json_text(edit_state.record_of(at.location.backend, at.stack, name)), form="json"
    )
    return Status.OK


@command.command("pull")
@click.option("--serial", type=int, metavar="N", help="An earlier version that is kept.")
@_placed
def pull(*, serial: int | None, **where: object) -> Status:
    """
    Print the state, or an earlier version of it, byte for byte.

    \b
    Examples:
      ctxprov state pull > now.json
      ctxprov state pull --serial 12 > earlier.json
    """
    console.output_is_the_work()
    at = _located(**where)  # type: ignore[arg-type]  # click checked them
    backend = at.location.backend
    found = backend.read(state_name(at.stack))
    if serial is not None and serial != serial_of(found):
        found = read_version(backend, at.stack, serial)
    if found is None:
        raise StateError(
            f"there is no {backend.where(state_name(at.stack))}: nothing was applied yet, or the "
            "state is elsewhere (--state)."
        )
    console.document(found.content, form="json")
    return Status.OK


@command.command("push")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--force",
    is_flag=True,
    help="Also if its serial is not newer, or what is there cannot be read.",
)
@dry_run_option
@options.lock_timeout_option
@_placed
def push(file: Path, *, force: bool, **said: object) -> Status:
    """
    Put a state from a file in place of the one that is there.

    \b
    Examples:
      ctxprov state push demo.unsaved.json
      ctxprov state push earlier.json --force --dry-run
    """
    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}.") from error

    def edit(at: edit_state.Current) -> edit_state.Edit:
        return edit_state.pushed(at, raw, where=str(file), force=force)

    return _edit("push", edit, said, mends=force)


@command.command("mv")
@click.argument("old")
@click.argument("new", required=False)
@click.option(
    "--to-stack", type=click.Path(path_type=Path), metavar="DIR", help="Give it to this stack."
)
@click.option(
    "--to-env", metavar="NAME", help="Which environment of that; by default that of --env."
)
@options.accept_scope_option
@dry_run_option
@options.lock_timeout_option
@_placed
def mv(
    old: str,
    new: str | None,
    *,
    to_stack: Path | None,
    to_env: str | None,
    accept_scope: bool,
    **said: object,
) -> Status:
    """
    Rename a record, or give it to another stack, whose folder --to-stack names.

    Nothing is created, and the live cache's label keeps the old name. A stack that gave a cache
    away never takes it for a stray. Declare the cache there, and no longer here, before the next
    apply.

    \b
    Examples:
      ctxprov state mv old-name new-name
      ctxprov state mv old-name new-name --dry-run
      ctxprov state mv product-manual --to-stack ../support
    """
    if to_stack is not None:
        return _give(old, new or old, to_stack, to_env, said, accept=accept_scope)
    if new is None:
        raise click.UsageError("Give the new name, or --to-stack DIR.")
    return _edit("mv", lambda at: edit_state.renamed(at, old, new), said)


def _give(
    old: str, new: str, folder: Path, env: str | None, said: dict[str, object], *, accept: bool
) -> Status:
    dry_run, timeout = said.pop("dry_run"), said.pop("lock_timeout")
    at = _located(**said)  # type: ignore[arg-type]  # click checked them
    there = _located(
        **{**said, "folder": folder, "environment": env or _known_env(folder, said["environment"])}  # type: ignore[arg-type]  # click checked them
    )
    edit_state.check_name(new)

    def decide(source: State, target: State) -> Transfer | None:
        record = source.caches.get(old)
        if isinstance(record, RecordedCache) and record.provider not in there.location.key_envs:
            raise Refused(
                f"{there.stack} knows no provider {record.provider}: declare it there first. "
                "Nothing was changed."
            )
        return given_cache(source, target, old, new, accept=accept)

    sentence = asyncio.run(
        transferred(
            Side(stack=at.stack, backend=at.location.backend),
            Side(stack=there.stack, backend=there.location.backend),
            decide,
            operation="state mv",
            sentence=f"{old} of {at.stack} is {new} of {there.stack}; a live cache keeps its "
            f"label. Declare it there, and no longer in {at.stack}, before the next apply.",
            timeout=timeout,  # type: ignore[arg-type]  # click checked it
            dry_run=bool(dry_run),
        )
    )
    console.say(plain(sentence))
    return Status.OK


def _known_env(folder: Path, environment: object) -> str | None:
    """The same environment of another stack, if that has it."""
    return str(environment) if environment in environments_of(folder) else None


@command.command("rename-stack")
@click.argument("old", metavar="OLD[.ENV]")
@click.argument("new", metavar="NEW[.ENV]")
@dry_run_option
@options.lock_timeout_option
@options.folder_option
@options.state_option
@options.emulator_option
def rename_stack(
    old: str,
    new: str,
    *,
    folder: Path,
    address: str | None,
    emulator: bool,
    lock_timeout: timedelta,
    dry_run: bool,
) -> Status:
    """
    Give everything on record in a stack, or in one environment of it, another stack's name.

    Nothing is created, and live caches keep their labels. Runs under the old name are refused
    from then on. The manifest may have either name; with --state none is needed.

    \b
    Examples:
      ctxprov state rename-stack support-bot helpdesk
      ctxprov state rename-stack shop.staging shop.preview --dry-run
      ctxprov state rename-stack support-bot helpdesk --state s3://bucket/prefix
    """
    here, there = backends_of((old, new), folder, address, emulator=emulator)
    sentence = asyncio.run(
        transferred(
            Side(stack=old, backend=here),
            Side(stack=new, backend=there),
            renamed_stack,
            operation="state rename-stack",
            sentence=f"{old} is {new} now; live caches keep their labels. Write the new name into "
            "the manifest before the next run.",
            timeout=lock_timeout,
            dry_run=dry_run,
        )
    )
    console.say(plain(sentence))
    return Status.OK


@command.command("rm")
@click.argument("name")
@dry_run_option
@options.lock_timeout_option
@_placed
def rm(name: str, **said: object) -> Status:
    """
    Forget a record; the live cache stays as it is.

    \b
    Examples:
      ctxprov state rm product-manual --dry-run
    """
    return _edit("rm", lambda at: edit_state.forgotten(at, name), said)


def _edit(
    verb: str, edit: edit_state.Editor, said: dict[str, object], *, mends: bool = False
) -> Status:
    dry_run, timeout = said.pop("dry_run"), said.pop("lock_timeout")
    at = _located(**said)  # type: ignore[arg-type]  # click checked them
    sentence = edit_state.perform(
        at.location.backend,
        at.stack,
        operation=f"state {verb}",
        edit=edit,
        timeout=timeout,  # type: ignore[arg-type]  # click checked it
        dry_run=bool(dry_run),
        mends=mends,
    )
    console.say(plain(sentence))
    return Status.OK


@command.command("migrate")
@click.argument("destination", metavar="PLACE")
@dry_run_option
@options.lock_timeout_option
@options.folders_option
@options.env_option
@options.state_option
def migrate(destination: str, *, folders: tuple[Path, ...], **said: object) -> Status:
    """
    Copy state, history and kept versions to another backend, under both locks.

    A trial with --emulator stays where it is.

    \b
    Examples:
      ctxprov state migrate s3://bucket/prefix
      ctxprov state migrate git+branch:ctxprov-state --dry-run
      ctxprov state migrate s3://bucket/prefix -C 'stacks/*'
    """
    from provisioner.cli.migrate_state import migrate_state  # noqa: PLC0415  # one command of many

    dry_run, timeout = said.pop("dry_run"), said.pop("lock_timeout")

    async def work(stack: Path, _: Session) -> StackOutcome:
        at = _located(stack, **said, emulator=False)  # type: ignore[arg-type]  # click checked them
        there = _located(stack, **{**said, "address": destination}, emulator=False)  # type: ignore[arg-type]  # click checked them
        sentence = await migrate_state(
            at.location.backend,
            there.location.backend,
            at.stack,
            address=destination,
            timeout=timeout,  # type: ignore[arg-type]  # click checked it
            dry_run=bool(dry_run),
        )
        console.say(plain(sentence))
        return StackOutcome(status=Status.OK, summary="not written" if dry_run else "copied")

    return over_stacks(folders, work)


@command.command("history")
@_placed_all
@options.json_option
def history(*, folders: tuple[Path, ...], as_json: bool, **where: object) -> Status:
    """
    Tell the last runs that changed the stack or tried to, oldest first.

    \b
    Examples:
      ctxprov state history
      ctxprov state history --json
      ctxprov state history -C 'stacks/*'
    """

    async def work(stack: Path, session: Session) -> StackOutcome:
        at = _located(stack, **where)  # type: ignore[arg-type]  # click checked them
        runs = read_history(at.location.backend, at.stack)
        page = json_text({"stack": at.stack, "runs": to_builtins(runs)})
        session.pages.append(lambda _: page)
        if not session.is_quiet:
            tell_runs(runs, at.location.backend, at.stack)
        return StackOutcome(status=Status.OK, summary=f"{len(runs)} remembered")

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))
