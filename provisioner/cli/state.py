"""`ctxprov state`, `lock` and `unlock`: the state of a stack and its lock, by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeAlias

import click
import orjson
from msgspec import to_builtins

from provisioner.cli import console
from provisioner.cli.documents import Output
from provisioner.cli.messages import tell
from provisioner.cli.per_stack import StackOutcome, Work
from provisioner.errors import StateError
from provisioner.escape import json_text, plain
from provisioner.files import read_whole
from provisioner.model.facts import State
from provisioner.model.records import Recorded, RecordedCache
from provisioner.operations import edit_state
from provisioner.operations.edit_state import Editor, Side, StateWriting, side_of
from provisioner.operations.session import Session
from provisioner.operations.stack_location import recorded
from provisioner.render.layout import Column, table
from provisioner.state import state_name
from provisioner.state.history import PastRun, read_history
from provisioner.storage import Backend
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, mark_of
from provisioner.times import moment_text, parse_moment


def _done(sentence: str, summary: str = "") -> StackOutcome:
    console.say(plain(sentence))
    return StackOutcome(summary=summary)


_StateCommand: TypeAlias = Callable[..., Awaitable[StackOutcome]]


def _writes(command: _StateCommand) -> _StateCommand:
    """A command that writes a state takes the options of that as one value."""

    @wraps(command)
    async def write(
        session: Session,
        _: Output,
        stack: Path,
        *,
        dry_run: bool,
        lock_timeout: timedelta,
        **given: Any,  # noqa: ANN401  # the command names them
    ) -> StackOutcome:
        writing = StateWriting(dry_run=dry_run, lock_timeout=lock_timeout)
        return await command(session, stack, writing, **given)

    return write


async def list_records(session: Session, output: Output, stack: Path) -> StackOutcome:
    """List what is on record by name, and what is retiring by id."""
    frame, location, state = recorded(session, stack)
    names = {"caches": sorted(state.caches), "retiring": sorted(state.retiring)}
    output.add_json(json_text({"stack": frame.stack, "serial": state.serial, **names}))
    if not output.is_quiet:
        _tell_records(state, location.backend)
    return StackOutcome(summary=f"{len(state.caches)} on record")


async def show_record(session: Session, _: Output, stack: Path, *, name: str) -> StackOutcome:
    """Print one record as it stands in the state."""
    record = edit_state.record_of(side_of(session, stack), name)
    console.document(json_text(record), form="json")
    return StackOutcome()


async def pull_state(
    session: Session, _: Output, stack: Path, *, serial: int | None
) -> StackOutcome:
    """Print the state, or an earlier version of it, byte for byte."""
    console.output_is_the_work()
    side = side_of(session, stack)
    file = edit_state.stored_state(side, serial=serial)
    console.document(file.content, form="json")
    return StackOutcome()


@_writes
async def push_state(
    session: Session, stack: Path, writing: StateWriting, *, file: Path, force: bool
) -> StackOutcome:
    """Put a state from a file in place of the one that is there."""
    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}.") from error
    edit = partial(edit_state.pushed, raw=raw, where=str(file), force=force)
    return await _edit(session, stack, "push", edit, writing, repairs=force)


@_writes
async def move_record(
    session: Session,
    stack: Path,
    writing: StateWriting,
    *,
    old: str,
    new: str | None,
    to_stack: Path | None,
    to_env: str | None,
) -> StackOutcome:
    """Rename a record, or give it to another stack, whose folder --to-stack names."""
    if to_stack is not None:
        give = edit_state.give_record(
            session, stack, to_stack, old=old, new=new or old, environment=to_env, writing=writing
        )
        return _done(await give)
    if new is None:
        raise click.UsageError("Give the new name, or --to-stack DIR.")
    return await _edit(session, stack, "mv", lambda at: edit_state.renamed(at, old, new), writing)


@_writes
async def give_stack_name(
    session: Session, folder: Path, writing: StateWriting, *, old: str, new: str
) -> StackOutcome:
    """Give everything on record in a stack, or in one environment of it, another stack's name."""
    rename = edit_state.rename_stack(session, folder, old=old, new=new, writing=writing)
    return _done(await rename)


@_writes
async def forget_record(
    session: Session, stack: Path, writing: StateWriting, *, name: str
) -> StackOutcome:
    """Forget a record; the live cache stays as it is."""
    return await _edit(session, stack, "rm", lambda at: edit_state.forgotten(at, name), writing)


async def _edit(
    session: Session,
    stack: Path,
    verb: str,
    edit: Editor,
    writing: StateWriting,
    *,
    repairs: bool = False,
) -> StackOutcome:
    side, operation = side_of(session, stack), f"state {verb}"
    return _done(
        await edit_state.edit_state(
            session.ports, side, operation=operation, edit=edit, writing=writing, repairs=repairs
        )
    )


@_writes
async def copy_state(
    session: Session, stack: Path, writing: StateWriting, *, destination: str
) -> StackOutcome:
    """Copy state, history and kept versions to another backend, under both locks."""
    sentence = await edit_state.migrate_state(session, stack, address=destination, writing=writing)
    return _done(sentence, "not written" if writing.dry_run else "copied")


async def show_history(session: Session, output: Output, stack: Path) -> StackOutcome:
    """List the last runs that changed the stack or tried to, oldest first."""
    side = side_of(session, stack)
    runs = read_history(side.backend, side.stack)
    output.add_json(json_text({"stack": side.stack, "runs": to_builtins(runs)}))
    if not output.is_quiet:
        _tell_runs(runs, side)
    return StackOutcome(summary=f"{len(runs)} remembered")


def _tell_records(state: State, backend: Backend) -> None:
    """A line for each cache on record, and for each that is retiring."""
    if not (state.caches or state.retiring):
        tell(f"Nothing is on record at {backend.where(state_name(state.stack))}.")
    rows = [(name, r.provider, _id(r)) for name, r in sorted(state.caches.items())]
    rows += [(r.name, r.provider, f"{r.id} (retiring)") for r in state.retiring.values()]
    _show(rows, *[""] * 3)


def _tell_runs(runs: Sequence[PastRun], side: Side) -> None:
    """A line for each run, the oldest first."""
    if side.backend.keeps_history:
        console.say(f"{plain(side.where)} keeps its versions by itself.")
    elif not runs:
        tell(f"No run is remembered beside {side.where}.")
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


async def show_locks(session: Session, output: Output, stack: Path) -> StackOutcome:
    """Show the lock owner of the state, since when, and the lock's ID."""
    side = side_of(session, stack)
    owner = side.backend.lock_owner(state_name(side.stack))
    fields = orjson.loads(lock_owner_bytes(owner)) if owner else None
    output.add_json(json_text({"stack": side.stack, "holder": fields}))
    subject = f"{owner} holds" if owner else "No run holds"
    lock = f"; its lock is {owner.id}" if owner and owner.id else ""
    output.show(plain(f"{subject} {side.where}{lock}.") + "\n")
    return StackOutcome(summary=_lock_summary(owner))


def _lock_summary(owner: LockOwner | None) -> str:
    if owner is None:
        return "free"
    return f"lock {plain(owner.id)}" if owner.id else "locked"


def end_locks(session: Session, _: Output, *, lock_id: str | None, mine: bool) -> Work:
    """End the lock of a run that is dead."""
    if mine == bool(lock_id):
        raise click.UsageError("Give the ID that ctxprov lock status prints, or --mine.")
    mark = mark_of(session.ports.environ)
    if mine and mark is None:
        raise click.UsageError("--mine works in a CI job only, and the environment names none.")
    return partial(_end_lock, session, lock_id, mark)


async def _end_lock(
    session: Session, lock_id: str | None, mark: str | None, stack: Path
) -> StackOutcome:
    side = side_of(session, stack)
    ended = edit_state.end_lock(side, lock_id, mark)
    if ended is None:
        return _done(f"This job holds no lock of {side.where}.", "not locked by this job")
    return _done(f"The lock {ended} of {side.where} is ended.", f"lock {plain(ended)} is ended")
