"""
Show the state of a stack and edit it by hand, for `ctxprov state`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import click
from msgspec import Struct, to_builtins

from provisioner.cli import console, edit_state
from provisioner.cli.messages import tell
from provisioner.cli.options import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.stack_names import backends_of
from provisioner.cli.status import Status
from provisioner.cli.target import StackLocation, location_of
from provisioner.cli.transfer import Side, transferred
from provisioner.errors import Refused, StateError
from provisioner.escape import json_text, plain
from provisioner.files import read_whole
from provisioner.manifest.stack import environments_of, load_frame
from provisioner.model.facts import State
from provisioner.model.records import Recorded, RecordedCache
from provisioner.render.layout import Column, table
from provisioner.state import read_state, serial_of, state_name
from provisioner.state.history import PastRun, read_history, read_version
from provisioner.state.transfer import Transfer, given_cache, renamed_stack
from provisioner.storage.protocol import Backend
from provisioner.times import moment_text, parse_moment


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


def list_records(*, folders: tuple[Path, ...], as_json: bool, **where: object) -> Status:
    """List what is on record by name, and what is retiring by id."""

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


def show_record(name: str, **where: object) -> Status:
    """Print one record as it stands in the state."""
    at = _located(**where)  # type: ignore[arg-type]  # click checked them
    console.document(
        json_text(edit_state.record_of(at.location.backend, at.stack, name)), form="json"
    )
    return Status.OK


def pull_state(*, serial: int | None, **where: object) -> Status:
    """Print the state, or an earlier version of it, byte for byte."""
    console.output_is_the_work()
    at = _located(**where)  # type: ignore[arg-type]  # click checked them
    backend = at.location.backend
    file = backend.read(state_name(at.stack))
    if serial is not None and serial != serial_of(file):
        file = read_version(backend, at.stack, serial)
    if file is None:
        raise StateError(
            f"there is no {backend.where(state_name(at.stack))}: nothing was applied yet, or the "
            "state is elsewhere (--state)."
        )
    console.document(file.content, form="json")
    return Status.OK


def push_state(file: Path, *, force: bool, **given: object) -> Status:
    """Put a state from a file in place of the one that is there."""
    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}.") from error

    def edit(at: edit_state.Current) -> edit_state.StateEdit:
        return edit_state.pushed(at, raw, where=str(file), force=force)

    return _edit("push", edit, given, repairs=force)


def move_record(
    old: str,
    new: str | None,
    *,
    to_stack: Path | None,
    to_env: str | None,
    accept_scope: bool,
    **given: object,
) -> Status:
    """Rename a record, or give it to another stack, whose folder --to-stack names."""
    if to_stack is not None:
        return _give(old, new or old, to_stack, to_env, given, accept=accept_scope)
    if new is None:
        raise click.UsageError("Give the new name, or --to-stack DIR.")
    return _edit("mv", lambda at: edit_state.renamed(at, old, new), given)


def _give(
    old: str, new: str, folder: Path, env: str | None, given: dict[str, object], *, accept: bool
) -> Status:
    dry_run, timeout = given.pop("dry_run"), given.pop("lock_timeout")
    at = _located(**given)  # type: ignore[arg-type]  # click checked them
    there = _located(
        **{
            **given,
            "folder": folder,
            "environment": env or _known_env(folder, given["environment"]),
        }  # type: ignore[arg-type]  # click checked them
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


def give_stack_name(
    old: str,
    new: str,
    *,
    folder: Path,
    address: str | None,
    emulator: bool,
    lock_timeout: timedelta,
    dry_run: bool,
) -> Status:
    """Give everything on record in a stack, or in one environment of it, another stack's name."""
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


def forget_record(name: str, **given: object) -> Status:
    """Forget a record; the live cache stays as it is."""
    return _edit("rm", lambda at: edit_state.forgotten(at, name), given)


def _edit(
    verb: str, edit: edit_state.Editor, given: dict[str, object], *, repairs: bool = False
) -> Status:
    dry_run, timeout = given.pop("dry_run"), given.pop("lock_timeout")
    at = _located(**given)  # type: ignore[arg-type]  # click checked them
    sentence = edit_state.perform(
        at.location.backend,
        at.stack,
        operation=f"state {verb}",
        edit=edit,
        timeout=timeout,  # type: ignore[arg-type]  # click checked it
        dry_run=bool(dry_run),
        repairs=repairs,
    )
    console.say(plain(sentence))
    return Status.OK


def copy_state(destination: str, *, folders: tuple[Path, ...], **given: object) -> Status:
    """Copy state, history and kept versions to another backend, under both locks."""
    from provisioner.cli.migrate_state import migrate_state  # noqa: PLC0415  # one command of many

    dry_run, timeout = given.pop("dry_run"), given.pop("lock_timeout")

    async def work(stack: Path, _: Session) -> StackOutcome:
        at = _located(stack, **given, emulator=False)  # type: ignore[arg-type]  # click checked them
        there = _located(stack, **{**given, "address": destination}, emulator=False)  # type: ignore[arg-type]  # click checked them
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


def show_history(*, folders: tuple[Path, ...], as_json: bool, **where: object) -> Status:
    """List the last runs that changed the stack or tried to, oldest first."""

    async def work(stack: Path, session: Session) -> StackOutcome:
        at = _located(stack, **where)  # type: ignore[arg-type]  # click checked them
        runs = read_history(at.location.backend, at.stack)
        page = json_text({"stack": at.stack, "runs": to_builtins(runs)})
        session.pages.append(lambda _: page)
        if not session.is_quiet:
            tell_runs(runs, at.location.backend, at.stack)
        return StackOutcome(status=Status.OK, summary=f"{len(runs)} remembered")

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


def tell_records(state: State, backend: Backend) -> None:
    """A line for each cache on record, and for each that is retiring."""
    if not (state.caches or state.retiring):
        tell(f"Nothing is on record at {backend.where(state_name(state.stack))}.")
    rows = [(name, r.provider, _id(r)) for name, r in sorted(state.caches.items())]
    rows += [(r.name, r.provider, f"{r.id} (retiring)") for r in state.retiring.values()]
    _show(rows, *[""] * 3)


def tell_runs(runs: Sequence[PastRun], backend: Backend, stack: str) -> None:
    """A line for each run, the oldest first."""
    where = backend.where(state_name(stack))
    if backend.keeps_history:
        console.say(f"{plain(where)} keeps its versions by itself.")
    elif not runs:
        tell(f"No run is remembered beside {where}.")
    else:
        _show(map(_run, runs), *("WHEN", "OPERATION", "WHO", "COMMIT", "KEPT", "OUTCOME"))


def _id(record: Recorded) -> str:
    return record.id if isinstance(record, RecordedCache) else "annotation"


def _run(run: PastRun) -> tuple[str, ...]:
    return (
        moment_text(parse_moment(run.at).replace(microsecond=0)),
        run.operation,
        run.who,
        (run.commit or "-")[:12],
        "-" if run.kept is None else str(run.kept),
        run.outcome,
    )


def _show(rows: Iterable[tuple[str, ...]], *titles: str) -> None:
    columns = [Column(title=title) for title in titles]
    for line in table(columns, [tuple(map(plain, row)) for row in rows]):
        console.say(line)
