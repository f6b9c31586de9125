"""
A plan, its outcome or what is wrong with a manifest as annotations of a GitHub workflow.

GitHub reads commands from the log, a line each, and shows ten of a kind for each step; so the
rest is counted.  A name or a message cannot end its line, nor begin a command of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from provisioner.errors import CtxprovError, ManifestError, Problem
from provisioner.escape import command
from provisioner.model.changes import Cause
from provisioner.model.facts import Result
from provisioner.render.result import result_row
from provisioner.view.plan import PlanView, RowView

Level: TypeAlias = Literal["error", "warning", "notice"]
Spots: TypeAlias = Mapping[str, Problem]
"""Where each name is declared; only the places of these problems count."""

_OURS = "ctxprov"
"""The title of what is about no entry."""

MOST = 10
"""GitHub shows no more of one level for each step."""


class WorkflowAnnotation(Struct, frozen=True, kw_only=True):
    """One message, at a place if it has one.  Its texts are foreign."""

    level: Level
    title: str
    message: str
    spot: Problem | None = None


def plan_annotations(view: PlanView, spots: Spots) -> str:
    """A line for each edit, drift and refusal, at the entry it is about."""
    refused = [
        WorkflowAnnotation(level="error", title=f"limits.{limit.limit}", message=limit.why)
        for limit in view.limits
        if limit.refused
    ]
    rows = [
        WorkflowAnnotation(
            level=level,
            title=f"{row.name}: {row.action}",
            message=row.why,
            spot=spots.get(row.name),
        )
        for row in view.rows
        if row.is_shown and (level := _level(row))
    ]
    return _lines([*refused, *rows])


def result_annotations(results: Iterable[Result], spots: Spots) -> str:
    """A line for each change that did not end well."""
    return _lines(
        WorkflowAnnotation(
            level="error" if row.outcome == "failed" else "warning",
            title=f"{row.name}: {row.action} {row.outcome}",
            message=row.text,
            spot=spots.get(row.name),
        )
        for row in map(result_row, results)
        if row.outcome != "done"
    )


def failure_annotations(error: CtxprovError, here: Callable[[Problem], Problem]) -> str:
    """
    A line for each thing that is wrong with a manifest, or one for any other failure.

    *here* spells a place as GitHub knows it.
    """
    if not isinstance(error, ManifestError):
        return _lines([WorkflowAnnotation(level="error", title=_OURS, message=str(error))])
    return _lines(
        WorkflowAnnotation(
            level="error", title=spot.where or _OURS, message=spot.sentence, spot=spot
        )
        for spot in map(here, error.problems)
    )


def _level(row: RowView) -> Level | None:
    match row.action, row.cause:
        case "blocked", _:
            return "error"
        case _, Cause.EDIT if row.pending:
            return "notice"
        case _, Cause.DRIFT:
            return "warning"
        case _:
            return None


def _lines(annotations: Iterable[WorkflowAnnotation]) -> str:
    groups: dict[Level, list[WorkflowAnnotation]] = {"error": [], "warning": [], "notice": []}
    for annotation in annotations:
        groups[annotation.level].append(annotation)
    return "".join(line for level, group in groups.items() for line in _group(level, group))


def _group(level: Level, group: Sequence[WorkflowAnnotation]) -> Iterator[str]:
    shown = group if len(group) <= MOST else group[: MOST - 1]
    yield from map(_line, shown)
    if len(shown) < len(group):
        more = f"… and {len(group) - len(shown):,} more; the plan has all of them."
        yield _line(WorkflowAnnotation(level=level, title=_OURS, message=more))


def _line(one: WorkflowAnnotation) -> str:
    place = ""
    if spot := one.spot:
        place = f"file={_property(spot.file)},line={spot.line},col={spot.column},"
    return f"::{one.level} {place}title={_property(one.title)}::{command(one.message)}\n"


def _property(text: str) -> str:
    return command(text).replace(":", "%3A").replace(",", "%2C")
