"""`ctxprov state`, `lock` and `unlock`: the state of a stack and its lock, by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import orjson
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from provisioner.cli import console
from provisioner.cli.documents import Output
from provisioner.cli.messages import tell
from provisioner.cli.per_stack import StackOutcome, Work
from provisioner.cli.status import Status
from provisioner.errors import Refused, StateError
from provisioner.escape import json_text, plain
from provisioner.files import read_whole
from provisioner.manifest.stack import environments_of, load_frame
from provisioner.model.facts import State
from provisioner.model.records import Recorded, RecordedCache
from provisioner.operations import edit_state
from provisioner.operations.migrate_state import Side, migrate_state, transfer_records
from provisioner.operations.session import Session
from provisioner.operations.stack_location import StackLocation, location_of, recorded
from provisioner.operations.stack_names import backends_of
from provisioner.render.layout import Column, table
from provisioner.state import serial_of, state_name
from provisioner.state.history import PastRun, read_history, read_version
from provisioner.state.transfer import Transfer, given_cache, renamed_stack
from provisioner.storage import Backend
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, mark_of
from provisioner.times import moment_text, parse_moment


def _located(session: Session, stack: Path) -> tuple[str, StackLocation]:
    """The stack's name, and where its state is."""
    frame = load_frame(stack, environment=session.options.environment)
    return frame.stack, location_of(session, frame)


def _elsewhere(session: Session, **options: Any) -> Session:  # noqa: ANN401  # StackOptions names them
    return replace(session, options=replace(session.options, **options))


def _done(sentence: str, summary: str = "") -> StackOutcome:
    console.say(plain(sentence))
    return StackOutcome(status=Status.OK, summary=summary)


def list_records(session: Session, output: Output) -> Work:
    """List what is on record by name, and what is retiring by id."""

    async def work(stack: Path) -> StackOutcome:
        frame, location, state = recorded(session, stack)
        names = {"caches": sorted(state.caches), "retiring": sorted(state.retiring)}
        output.add_json(json_text({"stack": frame.stack, "serial": state.serial, **names}))
        if not output.is_quiet:
            _tell_records(state, location.backend)
        return StackOutcome(status=Status.OK, summary=f"{len(state.caches)} on record")

    return work


def show_record(session: Session, output: Output, *, name: str) -> Work:
    """Print one record as it stands in the state."""
    del output

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        record = edit_state.record_of(location.backend, whose, name)
        console.document(json_text(record), form="json")
        return StackOutcome(status=Status.OK)

    return work


def pull_state(session: Session, output: Output, *, serial: int | None) -> Work:
    """Print the state, or an earlier version of it, byte for byte."""
    del output
    console.output_is_the_work()

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        backend = location.backend
        file = backend.read(state_name(whose))
        if serial is not None and serial != serial_of(file):
            file = read_version(backend, whose, serial)
        if file is None:
            raise StateError(
                f"there is no {backend.where(state_name(whose))}: nothing was applied yet, or the "
                "state is elsewhere (--state)."
            )
        console.document(file.content, form="json")
        return StackOutcome(status=Status.OK)

    return work


class _Writing(Struct, frozen=True, kw_only=True):
    """How a command writes a state."""

    dry_run: bool
    lock_timeout: timedelta


def push_state(session: Session, output: Output, *, file: Path, force: bool, **given: Any) -> Work:  # noqa: ANN401  # _Writing names them
    """Put a state from a file in place of the one that is there."""
    del output
    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}.") from error

    def edit(at: edit_state.Current) -> edit_state.StateEdit:
        return edit_state.pushed(at, raw, where=str(file), force=force)

    return _edit(session, "push", edit, given, repairs=force)


def move_record(
    session: Session,
    output: Output,
    *,
    old: str,
    new: str | None,
    to_stack: Path | None,
    to_env: str | None,
    **given: Any,  # noqa: ANN401  # _Writing names them
) -> Work:
    """Rename a record, or give it to another stack, whose folder --to-stack names."""
    del output
    if to_stack is not None:
        return partial(_give, session, old, new or old, to_stack, to_env, _Writing(**given))
    if new is None:
        raise click.UsageError("Give the new name, or --to-stack DIR.")
    return _edit(session, "mv", lambda at: edit_state.renamed(at, old, new), given)


async def _give(
    session: Session,
    old: str,
    new: str,
    folder: Path,
    environment: str | None,
    writing: _Writing,
    stack: Path,
) -> StackOutcome:
    giving, here = _located(session, stack)
    same = session.options.environment
    environment = environment or (same if same in environments_of(folder) else None)
    receiving, there = _located(_elsewhere(session, environment=environment), folder)
    edit_state.check_name(new)

    def decide(source: State, target: State) -> Transfer | None:
        record = source.caches.get(old)
        if isinstance(record, RecordedCache) and record.provider not in there.key_envs:
            raise Refused(
                f"{receiving} knows no provider {record.provider}: declare it there first. "
                "Nothing was changed."
            )
        return given_cache(source, target, old, new, accept=session.options.accept_scope)

    sentence = await transfer_records(
        session.ports,
        Side(stack=giving, backend=here.backend),
        Side(stack=receiving, backend=there.backend),
        decide,
        operation="state mv",
        sentence=f"{old} of {giving} is {new} of {receiving}; a live cache keeps its "
        f"label. Declare it there, and no longer in {giving}, before the next apply.",
        timeout=writing.lock_timeout,
        dry_run=writing.dry_run,
    )
    return _done(sentence)


def give_stack_name(
    session: Session,
    output: Output,
    *,
    old: str,
    new: str,
    **given: Any,  # noqa: ANN401  # _Writing names them
) -> Work:
    """Give everything on record in a stack, or in one environment of it, another stack's name."""
    del output
    writing = _Writing(**given)

    async def work(folder: Path) -> StackOutcome:
        here, there = backends_of(session, (old, new), folder)
        sentence = await transfer_records(
            session.ports,
            Side(stack=old, backend=here),
            Side(stack=new, backend=there),
            renamed_stack,
            operation="state rename-stack",
            sentence=f"{old} is {new} now; live caches keep their labels. Write the new name into "
            "the manifest before the next run.",
            timeout=writing.lock_timeout,
            dry_run=writing.dry_run,
        )
        return _done(sentence)

    return work


def forget_record(session: Session, output: Output, *, name: str, **given: Any) -> Work:  # noqa: ANN401  # _Writing names them
    """Forget a record; the live cache stays as it is."""
    del output
    return _edit(session, "rm", lambda at: edit_state.forgotten(at, name), given)


def _edit(
    session: Session,
    verb: str,
    edit: edit_state.Editor,
    given: dict[str, Any],
    *,
    repairs: bool = False,
) -> Work:
    writing = _Writing(**given)

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        sentence = await edit_state.edit_state(
            session.ports,
            location.backend,
            whose,
            operation=f"state {verb}",
            edit=edit,
            timeout=writing.lock_timeout,
            dry_run=writing.dry_run,
            repairs=repairs,
        )
        return _done(sentence)

    return work


def copy_state(
    session: Session,
    output: Output,
    *,
    destination: str,
    **given: Any,  # noqa: ANN401  # _Writing names them
) -> Work:
    """Copy state, history and kept versions to another backend, under both locks."""
    del output
    writing = _Writing(**given)

    async def work(stack: Path) -> StackOutcome:
        whose, here = _located(session, stack)
        _, there = _located(_elsewhere(session, address=destination), stack)
        sentence = await migrate_state(
            session.ports,
            here.backend,
            there.backend,
            whose,
            address=destination,
            timeout=writing.lock_timeout,
            dry_run=writing.dry_run,
        )
        return _done(sentence, "not written" if writing.dry_run else "copied")

    return work


def show_history(session: Session, output: Output) -> Work:
    """List the last runs that changed the stack or tried to, oldest first."""

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        runs = read_history(location.backend, whose)
        output.add_json(json_text({"stack": whose, "runs": to_builtins(runs)}))
        if not output.is_quiet:
            _tell_runs(runs, location.backend, whose)
        return StackOutcome(status=Status.OK, summary=f"{len(runs)} remembered")

    return work


def _tell_records(state: State, backend: Backend) -> None:
    """A line for each cache on record, and for each that is retiring."""
    if not (state.caches or state.retiring):
        tell(f"Nothing is on record at {backend.where(state_name(state.stack))}.")
    rows = [(name, r.provider, _id(r)) for name, r in sorted(state.caches.items())]
    rows += [(r.name, r.provider, f"{r.id} (retiring)") for r in state.retiring.values()]
    _show(rows, *[""] * 3)


def _tell_runs(runs: Sequence[PastRun], backend: Backend, stack: str) -> None:
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


def show_locks(session: Session, output: Output) -> Work:
    """Show the lock owner of the state, since when, and the lock's ID."""

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        backend, name = location.backend, state_name(whose)
        owner = backend.lock_owner(name)
        fields = orjson.loads(lock_owner_bytes(owner)) if owner else None
        output.add_json(json_text({"stack": whose, "holder": fields}))
        subject = f"{owner} holds" if owner else "No run holds"
        lock = f"; its lock is {owner.id}" if owner and owner.id else ""
        if not output.is_quiet:
            console.say(plain(f"{subject} {backend.where(name)}{lock}."))
        return StackOutcome(status=Status.OK, summary=_lock_summary(owner))

    return work


def _lock_summary(owner: LockOwner | None) -> str:
    if owner is None:
        return "free"
    return f"lock {plain(owner.id)}" if owner.id else "locked"


def end_locks(session: Session, output: Output, *, lock_id: str | None, mine: bool) -> Work:
    """End the lock of a run that is dead."""
    del output
    if mine == bool(lock_id):
        raise click.UsageError("Give the ID that ctxprov lock status prints, or --mine.")
    mark = mark_of(session.ports.environ)
    if mine and mark is None:
        raise click.UsageError("--mine works in a CI job only, and the environment names none.")

    async def work(stack: Path) -> StackOutcome:
        whose, location = _located(session, stack)
        backend, name = location.backend, state_name(whose)
        ended = lock_id or _lock_of(backend, name, mark)
        if ended is None:
            sentence = f"This job holds no lock of {backend.where(name)}."
            return _done(sentence, "not locked by this job")
        backend.unlock(name, ended)
        summary = f"lock {plain(ended)} is ended"
        return _done(f"The lock {ended} of {backend.where(name)} is ended.", summary)

    return work


def _lock_of(backend: Backend, name: str, mark: str | None) -> str | None:
    """The lock that the job with this *mark* holds."""
    owner = backend.lock_owner(name)
    return owner.id if owner and mark and owner.id.startswith(mark) else None
