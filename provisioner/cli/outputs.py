"""
`--out [FORMAT=]PATH`: where a plan or a result goes besides the terminal.

`-` is standard output, which then carries that document alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

from provisioner.errors import CtxprovError
from provisioner.files import write_whole
from provisioner.render.escape import json_text

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


Page: TypeAlias = Mapping[str, Callable[[], str]]
"""One stack's document in every format, each made only if it is asked for."""


def write(outs: Iterable[Out], pages: Sequence[Page]) -> None:
    """Write each document that was asked for.  Raises CtxprovError if one cannot be."""
    for out in outs:
        text = _together(out.form, [page[out.form]() for page in pages])
        if out.path == STDOUT:
            click.echo(text, nl=False)
            continue
        try:
            write_whole(Path(out.path), text.encode())
        except OSError as error:
            raise CtxprovError(f"{out.path} cannot be written: {error.strerror}.") from error


def _together(form: str, texts: Sequence[str]) -> str:
    """One stack's document is itself; several are one document of their format."""
    if len(texts) == 1 or form != "json":
        return "\n".join(texts)
    return json_text({"format_version": 1, "stacks": [json.loads(text) for text in texts]})
