"""Options that several commands share, each with one name, one help text and one meaning."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from functools import partial, wraps
from glob import glob
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import click

from provisioner.cli.status import Status
from provisioner.environment import process_environment
from provisioner.times import HORIZON, duration_text, parse_duration, parse_moment

"""No command looks farther ahead, and none waits longer."""
SOONEST = timedelta(seconds=30)
"""How soon `apply --watch` runs again at the earliest."""
BRIEF = timedelta(minutes=2)
"""How long a command that only looks waits for a quota that lets nothing through."""
PATIENT = timedelta(minutes=15)
"""And one that changes something."""

_PATH = click.Path(path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., object])
_Choice = TypeVar("_Choice")
Option: TypeAlias = Callable[[_Command], _Command]
Binding: TypeAlias = Callable[[Callable[[], None]], Callable[..., Status]]
"""Gives a command, which is options and help, what it does."""


def calls(module: str, function: str) -> Binding:
    """
    The command calls *function* of a module of cli, imported then, with all its arguments.

    A coroutine is run to its end.
    """

    def bound(command: Callable[[], None]) -> Callable[..., Status]:
        @wraps(command)
        def call(**given: Any) -> Status:  # noqa: ANN401  # click gives them
            status: Coroutine[Any, Any, Status] | Status = _imported(module, function)(**given)
            if isinstance(status, Status):
                return status
            import asyncio

            return asyncio.run(status)

        return _explained(call)

    return bound


def each_stack(
    module: str, function: str, *, only_one_with: str | None = None, **always: bool
) -> Binding:
    """
    The command does for each stack what *function* of a module of cli prepares.

    *only_one_with* is an argument that belongs to one stack; *always* are more arguments.
    """

    def bound(command: Callable[[], None]) -> Callable[..., Status]:
        @wraps(command)
        def call(**given: Any) -> Status:  # noqa: ANN401  # click gives them
            import asyncio

            from provisioner.cli.per_stack import rows_over, status_of

            if only_one_with and given[only_one_with]:
                given["stacks"] = (the_only(given["stacks"]),)
            return status_of(
                asyncio.run(rows_over(_imported(module, function), {**given, **always}))
            )

        return _explained(call)

    return bound


def _explained(call: Callable[..., Status]) -> Callable[..., Status]:
    """*call*, which tells an expected failure while click still knows the command's usage."""

    @wraps(call)
    def explained(**given: Any) -> Status:  # noqa: ANN401  # click gives them
        try:
            return call(**given)
        except Exception as error:
            from provisioner.cli.messages import EXPECTED, tell_error

            if not isinstance(error, EXPECTED):
                raise
            return tell_error(error)

    return explained


def _imported(module: str, function: str) -> Callable[..., Any]:
    return getattr(import_module(f"provisioner.cli.{module}"), function)  # type: ignore[no-any-return]


def together(*options: Option[Any]) -> Option[Any]:
    """Several options as one, for the commands that take all of them; help lists them in order."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


# Kinds of options: without a value, given as often as one likes, and the path of a file.
flag = partial(click.option, is_flag=True)
repeatable = partial(click.option, multiple=True)
file = partial(click.option, type=_PATH, metavar="FILE")


def _here(_: click.Context, __: click.Parameter, stacks: tuple[Path, ...]) -> tuple[Path, ...]:
    """Without an argument it is the current folder."""
    return stacks or (Path(),)


stack_argument = click.argument("stack", default=".", type=_PATH)

stacks_argument = click.argument(
    "stacks", nargs=-1, type=_PATH, metavar="[STACK]...", callback=_here
)

folder_option = click.option(
    "-C", "folder", default=".", type=_PATH, metavar="DIR", help="The stack's folder."
)

_SEVERAL = "The stack's folder, or a pattern of folders; repeatable"
_folders = partial(
    click.option, "-C", "stacks", default=(Path(),), type=_PATH, multiple=True, metavar="DIR"
)

folders_option = _folders(help=f"{_SEVERAL}.")


def expanded(stacks: Iterable[Path]) -> tuple[Path, ...]:
    """Folders as given, and what a pattern that the shell left alone stands for."""
    paths: list[Path] = []
    for stack in stacks:
        if stack.exists() or not any(char in str(stack) for char in "*?["):
            paths.append(stack)
            continue
        matches = [Path(name) for name in sorted(glob(str(stack)))]  # noqa: PTH207  # as typed
        folders = [one for one in matches if (one / "ctxprov.yaml").is_file() or one.is_file()]
        if not folders:
            raise click.UsageError(f"{stack} matches no folder with a ctxprov.yaml.")
        paths += folders
    return tuple(dict.fromkeys(paths)) or (Path(),)


def the_only(folders: Iterable[Path]) -> Path:
    """The one stack that a NAME or ID is of."""
    paths = expanded(folders)
    if len(paths) > 1:
        raise click.UsageError("A NAME or ID belongs to one stack: give -C once.")
    return paths[0]


_env_option = click.option(
    "--env",
    "environment",
    envvar="CTXPROV_ENV",
    show_envvar=True,
    metavar="NAME",
    help="Use this environment of the manifest, if it has any.",
)


def _raise_limit(ctx: click.Context, _: click.Parameter, count: int) -> None:
    from provisioner.manifest.entries import at_most

    ctx.with_resource(at_most(count))


max_caches_option = click.option(
    "--max-caches",
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    expose_value=False,
    callback=_raise_limit,
    metavar="N",
    help="Allow at most this many caches in one stack.",
)


env_option = together(_env_option, max_caches_option)
"""What every command that reads a manifest takes: which environment, and how many caches."""

emulator_option = flag(
    "--emulator",
    help="Use a Gemini emulator in this program, with a state of its own; needs no key.",
)

state_option = click.option(
    "--state",
    "address",
    envvar="CTXPROV_STATE",
    metavar="ADDRESS",
    help="Where the state is, over what the manifest says: a folder, s3://BUCKET/PREFIX, "
    "gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, git+branch:NAME or https://HOST/PATH; "
    "also CTXPROV_STATE.",
)

_address_options = together(env_option, emulator_option, state_option)
stacks_options = together(stacks_argument, _address_options)
"""Which states are meant, by the folders of their stacks; the next three by `-C`."""
folder_options = together(folder_option, _address_options)
folders_options = together(folders_option, _address_options)
folders_or_one_options = together(
    _folders(help=f"{_SEVERAL}, but a NAME or ID belongs to one stack."), _address_options
)

models_option = file(
    "--models",
    envvar="CTXPROV_MODELS",
    show_envvar=True,
    help="Use this file of models and prices over what ctxprov ships.",
)

allow_empty_option = flag(
    "--allow-empty",
    help="Allow a manifest without caches; everything on record is then retired.",
)

accept_scope_option = flag(
    "--accept-scope",
    help="Proceed although the state was written with a key of another project.",
)

prune_option = flag(
    "--prune",
    help="Delete strays: caches with this stack's label that are not on record. "
    "Another checkout with the same stack name may be using them.",
)

accept_missing_option = flag(
    "--accept-missing",
    help="Create missing caches at once, though much of a project is missing together. Or set "
    "CTXPROV_ACCEPT_MISSING to the fingerprint that is shown, for one project.",
)

replace_option = repeatable(
    "--replace", metavar="NAME", help="Create this cache again; repeatable."
)

accept_options = together(accept_scope_option, accept_missing_option)
edit_options = together(prune_option, replace_option, allow_empty_option, accept_options)
"""What a plan and an apply may be asked to do beside the manifest."""

json_option = flag("--json", "as_json", help="Print JSON.")

colour_option = click.option(
    "--color/--no-color",
    "colour",
    default=None,
    help="Colour or none; by default colour on a terminal without NO_COLOR.",
)

auto_approve_option = flag(
    "--auto-approve", help="Skip the prompt; needed where there is no terminal."
)

parallelism_option = click.option(
    "--parallelism",
    type=click.IntRange(1, 64),
    default=64,
    show_default=True,
    help="Make at most this many changes at a time.",
)


target_option = repeatable(
    "--target",
    "targets",
    metavar="GLOB",
    help="Take only the part of the plan whose names match; repeatable.",
)

exclude_option = repeatable(
    "--exclude",
    "excludes",
    metavar="GLOB",
    help="Leave out the part of the plan whose names match; repeatable.",
)

part_options = together(target_option, exclude_option)


def _start_log(_: click.Context, __: click.Parameter, level: str | None) -> None:
    from provisioner.cli.messages import start_log

    start_log(level)


log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning"]),
    expose_value=False,
    callback=_start_log,
    help="Log requests and retries to standard error.",
)

terminal_options = together(colour_option, log_option)
report_options = together(models_option, json_option, terminal_options)
"""How a command shows what is live and what it costs."""


class TextParam(click.ParamType[_Choice]):
    """What *parse* makes of a text; its ValueError says what is wrong with that."""

    def __init__(self, parse: Callable[[str], _Choice]) -> None:
        self.name = parse.__name__
        self._parse = parse

    def convert(
        self, value: str | _Choice, param: click.Parameter | None, ctx: click.Context | None
    ) -> _Choice:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def duration(*, at_least: timedelta = timedelta()) -> TextParam[timedelta]:
    """`90m`, `1d12h`."""

    def span_of(text: str) -> timedelta:
        span = parse_duration(text)
        if span < at_least:
            raise ValueError(f"at least {duration_text(at_least)}")
        if span > HORIZON:
            raise ValueError(f"at most {duration_text(HORIZON)}")
        return span

    return TextParam(span_of)


@TextParam
def moment(text: str) -> datetime | timedelta:
    """`+6h` from a provider's now, as a span; or an RFC 3339 moment."""
    try:
        when = parse_duration(text[1:]) if text.startswith("+") else parse_moment(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither +6h nor 2026-12-24T18:00:00Z") from None
    from provisioner import runtime

    ahead = when if isinstance(when, timedelta) else when - runtime.SYSTEM.now()
    if ahead > HORIZON:
        raise ValueError(f"{text!r} is more than {duration_text(HORIZON)} ahead")
    return when


@TextParam
def share(text: str) -> float:
    """`5%`, as a number from 0 to 1."""
    number = text.removesuffix("%")
    if not (number.isdecimal() and int(number) <= 100):  # noqa: PLR2004  # percent
        raise ValueError(f"{text!r} is no percentage from 0% to 100%")
    return int(number) / 100


max_wait_option, brief_max_wait_option = (
    click.option(
        "--max-wait",
        type=duration(),
        default=duration_text(span),
        show_default=True,
        metavar="DURATION",
        help="Give up when a quota lets nothing through for this long.",
    )
    for span in (PATIENT, BRIEF)
)

lock_timeout_option = click.option(
    "--lock-timeout",
    type=duration(),
    default=lambda: "60s" if process_environment().get("CI") else "0s",
    metavar="DURATION",
    help="Wait this long for another run; by default 0s, and 60s when CI is set.",
)

pace_options = together(parallelism_option, lock_timeout_option, max_wait_option)
"""What bounds a run that changes caches."""


_BY_SUFFIX = {".json": "json", ".md": "markdown", ".txt": "text", ".html": "html"}
FORMATS = ("text", "json", "markdown", "html", "github")
STDOUT = "-"
GITHUB = "github"


class Out(NamedTuple):
    """A requested document."""

    form: str
    path: str


@TextParam
def document(text: str) -> Out:
    """`FORMAT=PATH`, or a path whose suffix says the format."""
    form, equals, path = text.partition("=")
    if not equals:
        form, path = _BY_SUFFIX.get(Path(text).suffix, ""), text
    if form not in FORMATS or not path:
        formats = ", ".join(FORMATS)
        raise ValueError(f"{text!r} names no format: say FORMAT=PATH with one of {formats}")
    return Out(form, path)


out_option = repeatable(
    "--out",
    "outs",
    type=document,
    metavar="[FORMAT=]PATH",
    help="Write the document as text, json, markdown, html or github; - is standard output. "
    "Repeatable.",
)

document_options = together(json_option, out_option, terminal_options)
"""How a command shows a plan, and what becomes of it."""


def with_json(outs: Iterable[Out], *, as_json: bool) -> tuple[Out, ...]:
    """`--json` is `--out json=-`; only one document fits on standard output."""
    documents = (*outs, *((Out("json", STDOUT),) if as_json else ()))
    if sum(map(_takes_stdout, documents)) > 1:
        raise click.UsageError("Only one document fits on standard output.")
    return documents


def takes_stdout(outs: Iterable[Out]) -> bool:
    return any(map(_takes_stdout, outs))


def _takes_stdout(out: Out) -> bool:
    return out.path == STDOUT and out.form != GITHUB


override_option = click.option(
    "--override",
    "overrides",
    multiple=True,
    type=click.Choice(("delete", "replace", "rent_per_hour", "rent_total_per_30_days")),
    metavar="LIMIT",
    help="Let edits go beyond delete, replace, rent_per_hour or rent_total_per_30_days; "
    "repeatable.",
)


metrics_option = file(
    "--metrics-file",
    help="Write caches, their time to live, rent and the last success, in Prometheus' text format.",
)
