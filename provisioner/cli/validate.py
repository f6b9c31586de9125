"""`ctxprov validate`: every check that asks no provider."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from provisioner.cli import console
from provisioner.cli.messages import advise, tell_error, tell_problems
from provisioner.cli.options import expanded
from provisioner.cli.status import Status, first_of
from provisioner.cli.terminal import program_ports
from provisioner.errors import MOST_PROBLEMS, CtxprovError
from provisioner.escape import plain
from provisioner.operations.validate import SoundStack, Validation, validate_stack


def validate_stacks(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    models: Path | None,
    every: timedelta | None,
) -> Status:
    """Check a stack offline, without a key."""
    ports, statuses = program_ports(), list[Status]()
    for stack in expanded(stacks):
        try:
            validation = validate_stack(ports, stack, environment=environment, models=models)
            statuses.append(_show(validation, every))
        except CtxprovError as error:
            statuses.append(tell_error(error))
    return first_of(*statuses)


def _show(validation: Validation, every: timedelta | None) -> Status:
    advise(validation.warnings, most=MOST_PROBLEMS)
    for sound in validation.sound:
        _show_sound(sound, every)
    return tell_problems(validation.problems) if validation.problems else Status.OK


def _show_sound(sound: SoundStack, every: timedelta | None) -> None:
    count, path = len(sound.desired), sound.manifest.path
    where = plain(f"{path}, {sound.environment}" if sound.environment else str(path))
    console.say(f"{where}: {count} cache{'s' * (count != 1)}, no problems.")
    if every:
        from provisioner.operations.forecast import tolerance  # noqa: PLC0415  # for --every
        from provisioner.render.forecast import schedule_sentence  # noqa: PLC0415  # likewise

        console.say(schedule_sentence(tolerance(sound.desired), every))
