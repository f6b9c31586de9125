"""
`--out [FORMAT=]PATH`: where a plan or a result goes besides the terminal.

`-` is standard output, which then carries that document alone; only annotations for GitHub,
which are commands in a log, go beside what people read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import click
from msgspec import Struct

from provisioner.cli import console
from provisioner.environment import process_environment
from provisioner.errors import CtxprovError
from provisioner.files import write_whole

_BY_SUFFIX = {".json": "json", ".md": "markdown", ".txt": "text", ".html": "html"}
FORMATS = ("text", "json", "markdown", "html", "github")
STDOUT = "-"
GITHUB = "github"


class Out(Struct, frozen=True):
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
    help="Write the document as text, json, markdown, html or github; - is standard output. "
    "Repeatable.",
)


def with_json(outs: Iterable[Out], *, as_json: bool) -> tuple[Out, ...]:
    """`--json` is `--out json=-`; only one document fits on standard output."""
    found = (*outs, *((Out("json", STDOUT),) if as_json else ()))
    if sum(map(_takes_stdout, found)) > 1:
        raise click.UsageError("Only one document fits on standard output.")
    return found


def takes_stdout(outs: Iterable[Out]) -> bool:
    return any(map(_takes_stdout, outs))


def _takes_stdout(out: Out) -> bool:
    return out.path == STDOUT and out.form != GITHUB


Page: TypeAlias = Callable[[str], str]
"""One stack's document in a format, made when it is asked for."""


def write(
    outs: Sequence[Out], pages: Sequence[Page], failures: Sequence[CtxprovError] = ()
) -> None:
    """
    Write each document that was asked for; *failures* have a place in annotations alone.

    One that cannot be written keeps no other from it, and undoes nothing that was done.
    """
    if not outs:
        return
    from provisioner.cli.documents import failures_annotated, one_document  # noqa: PLC0415  # for those who ask

    for out in outs:
        text = one_document(out.form, [page(out.form) for page in pages])
        if out.form == GITHUB:
            _write(out, text + failures_annotated(failures))
            _summarise(pages)
        elif pages:
            _write(out, text)


def _write(out: Out, text: str) -> None:
    if out.path == STDOUT:
        console.document(text, form=out.form)
        return
    try:
        write_whole(Path(out.path), text.encode())
    except OSError as error:
        console.lose(f"{out.path} cannot be written: {error.strerror}.")


def _summarise(pages: Sequence[Page]) -> None:
    """Add the documents to the summary of the workflow's step, where there is one."""
    path = process_environment().get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(page("markdown") for page in pages)
    except OSError as error:
        console.lose(f"The step's summary cannot be written: {error.strerror}.")
