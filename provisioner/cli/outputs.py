"""
`--out [FORMAT=]PATH`: where a plan or a result goes besides the terminal.

`-` is standard output, which then carries that document alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from provisioner.errors import CtxprovError
from provisioner.files import write_whole

_BY_SUFFIX = {".json": "json", ".md": "markdown", ".txt": "text"}
FORMATS = ("text", "json", "markdown")
STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Out:
    """A document that was asked for."""

    form: str
    path: str


class OutType(click.ParamType[Out]):
    """`FORMAT=PATH`, or a path whose suffix says the format."""

    name = "out"

    def convert(
        self, value: str | Out, param: click.Parameter | None, ctx: click.Context | None
    ) -> Out:
        if isinstance(value, Out):
            return value
        form, equals, path = value.partition("=")
        if not equals:
            form, path = _BY_SUFFIX.get(Path(value).suffix, ""), value
        if form not in FORMATS or not path:
            known = ", ".join(FORMATS)
            self.fail(f"{value!r} names no format: say FORMAT=PATH with one of {known}", param, ctx)
        return Out(form, path)


out_option = click.option(
    "--out",
    "outs",
    type=OutType(),
    multiple=True,
    metavar="[FORMAT=]PATH",
    help="Write the document as text, json or markdown; - is standard output. Repeatable.",
)


def with_json(outs: Iterable[Out], *, as_json: bool) -> tuple[Out, ...]:
    """`--json` is `--out json=-`; only one document fits on standard output."""
    found = (*outs, *((Out("json", STDOUT),) if as_json else ()))
    if sum(out.path == STDOUT for out in found) > 1:
        raise click.UsageError("Only one document fits on standard output.")
    return found


def takes_stdout(outs: Iterable[Out]) -> bool:
    return any(out.path == STDOUT for out in outs)


def write(outs: Iterable[Out], forms: Mapping[str, Callable[[], str]]) -> None:
    """Write each document that was asked for.  Raises CtxprovError if one cannot be."""
    for out in outs:
        text = forms[out.form]()
        if out.path == STDOUT:
            click.echo(text, nl=False)
            continue
        try:
            write_whole(Path(out.path), text.encode())
        except OSError as error:
            raise CtxprovError(f"{out.path} cannot be written: {error.strerror}.") from error
