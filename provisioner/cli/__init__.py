"""
The command line: arguments in, an exit status out.

The rooms meet only here, and only here the program reads the wall clock.  A command lives in a
module of its own and is a function that returns a `Status`; the group imports it only when it
is called.  An expected failure is one paragraph on standard error, a
bug keeps its traceback and says that it is one, and an interruption is neither.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import FrameType, MappingProxyType
from typing import NoReturn, Self

import click

from provisioner import __version__
from provisioner.cli.console import Streams
from provisioner.cli.status import Status, endings, first_of

_EMPTY_OPTION = re.compile(r"(--[a-z][a-z0-9-]*)=", re.ASCII)
_END_OF_OPTIONS = "--"

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "init": "Write a small stack to start from.",
        "validate": "Check a stack offline, without a key.",
        "plan": "Show what apply would do.",
        "render": "Render a plan in JSON as another document, offline, without a key.",
        "explain": "Explain what plan decides about one cache, and from what.",
        "apply": "Create, refresh, replace and retire caches to match the manifest.",
        "destroy": "Delete every recorded cache of a stack.",
        "changed": "List the stacks that a branch edits.",
        "comment": "Show plans in one comment under a pull request or merge request.",
        "approved": "Print what the review of this commit approved, for apply --expect.",
        "keepalive": "Keep alive what is recorded; leave every edit to a review.",
        "forecast": "Simulate what a schedule will do with a stack.",
        "drift": "Report what another program changed on the live side; change nothing.",
        "next": "Show when to run again, by the state alone.",
        "output": "Print the handles that applications need, as JSON.",
        "show": "Show what is on record: a line per cache, or one cache in full.",
        "state": "Show and edit the state of a stack by hand.",
        "lock": "Show the lock owner of a stack's state.",
        "unlock": "End the lock of a run that is dead.",
        "list": "List every live cache of the project, with or without our label.",
        "gc": "List live caches whose label names a stack without a state, and delete those that "
        "are named.",
        "schema": "Print a JSON Schema: of manifest, plan, state, history, handles or models.",
        "emulator": "Serve a local Gemini cachedContents API.",
    }
)

_ROOMS: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "manifest": ("init", "validate", "forecast", "schema"),
        "run": ("plan", "explain", "apply", "destroy", "keepalive"),
        "live": ("drift", "list", "gc", "next", "show", "output", "emulator"),
        "review": ("render", "changed", "comment", "approved"),
        "state": ("state", "lock", "unlock"),
    }
)
"""Which module has the options and the help of which commands."""


class _Commands(click.Group):
    """Commands by name; the list of them is shown without importing one."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        room = next(room for room, names in _ROOMS.items() if cmd_name in names)
        command = getattr(import_module(f"provisioner.cli.{room}_commands"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101  # what every room must offer
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    epilog="Start with: ctxprov list, or ctxprov plan examples/support-bot --emulator",
)
@click.version_option(__version__, prog_name="ctxprov", message="%(prog)s %(version)s")
def group() -> None:
    """
    Infrastructure as code for LLM context caches.

    A manifest in git declares caches; plan shows what would change, apply makes it so.
    Gemini caches are created and looked after; Claude and OpenAI entries are annotations.
    """


def run(argv: Sequence[str]) -> int:
    """Run a command line and return its exit status; never raises."""
    for number, status in endings().items():
        signal.signal(number, partial(_ended, status))
    with Streams(sys.stdout, sys.stderr) as console:
        with Ending() as ending:
            _refuse_empty(argv)
            status = group.main(list(argv), "ctxprov", standalone_mode=False)
            ending.status = _status(status or Status.OK)
        # No lock is held any more: a reader who takes his time holds up nothing but this.
        with Ending() as last:
            last.status = Status.OK if console.finish() else Status.FAILED
    return first_of(ending.status, last.status)


def _refuse_empty(argv: Sequence[str]) -> None:
    """
    Raise click.UsageError if an argument, or the value of an option, is empty.

    That is a variable which a job did not set, never a choice.  It is refused here, by the
    arguments alone, so that no option and no command can forget it.
    """
    may_be_option = True
    for number, word in enumerate(argv, start=1):
        if not word:
            raise click.UsageError(_sentence(f"Argument {number}{_after(argv[: number - 1])}"))
        may_be_option = may_be_option and word != _END_OF_OPTIONS
        if may_be_option and (option := _EMPTY_OPTION.fullmatch(word)):
            raise click.UsageError(_sentence(f"The value of {option[1]}"))


def _after(before: Sequence[str]) -> str:
    return f" (after {before[-1]})" if before and before[-1].startswith("-") else ""


def _sentence(what: str) -> str:
    return f"{what} is empty, perhaps a variable that is not set. Give a value, or leave it out."


class Ending:
    """
    How a block ends, as an exit status: what it sets, or what stands for its exception.

    Says what there is to say of an exception, and lets none out.
    """

    status = Status.OK

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        match error:
            case None:
                pass
            case click.UsageError():
                error.show()
                self.status = Status.USAGE
            case KeyboardInterrupt() | click.Abort():
                self.status = Status.INTERRUPTED
            case SystemExit(code=code):
                self.status = _status(code)
            case Exception():  # the last net: a bug must not look like a failure
                from provisioner.cli.messages import tell_error  # noqa: PLC0415  # --help needs no words

                self.status = tell_error(error)
            case _:
                return False
        return True


def _status(code: object) -> Status:
    return Status(code) if isinstance(code, int) and code in set(Status) else Status.FAILED


def _ended(status: Status, _: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(status)
