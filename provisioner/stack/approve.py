"""
What a program gives as approval: a plan that was reviewed, its fingerprint, or a function.

Decides which values approve and which never do; what an approval covers, `approval` decides.
There is no blanket approval.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from provisioner.approval import Approval
from provisioner.operations.approvals import approval_among, content_of
from provisioner.stack.results import StackPlan
from provisioner.view.plan_reader import read_plans

Approve: TypeAlias = (
    StackPlan
    | str
    | bytes
    | os.PathLike[str]
    | Mapping[str, Any]
    | Callable[[StackPlan], bool | Awaitable[bool]]
)
"""A reviewed plan, its fingerprint, or a function of the plan that is about to be performed."""

_HOW = (
    "give a plan that was reviewed (a StackPlan, or the path, bytes or mapping of its JSON), its "
    "fingerprint or what `ctxprov approved` prints (a str), or a function of the plan that "
    "returns whether to go on"
)


def approval_given(approve: Approve | None, *, stack: str) -> Approval | None:
    """
    The approval that *approve* is; None for a function, which is asked later.

    Raises TypeError for what approves nothing, ValueError for a text that is no approval, and
    CtxprovError for a document that is no plan of *stack*.
    """
    match approve:
        case None:
            raise TypeError(f"apply() needs approve=: {_HOW}.")
        case bool():
            raise TypeError(f"approve is {approve}, and no value approves every plan: {_HOW}.")
        case StackPlan():
            return _among(approve.as_json().encode(), stack, "the plan")
        case str():
            return _parsed(approve)
        case bytes():
            return _read(approve, stack, "approve")
        case os.PathLike():
            return _read(content_of(Path(approve)), stack, os.fspath(approve))
        case Mapping():
            return _among(_json(approve), stack, "approve")
        case _ if callable(approve):
            return None
        case Awaitable():
            raise TypeError(f"approve is awaitable: give the function and do not call it; {_HOW}.")
        case _:
            raise TypeError(f"approve is {type(approve).__name__}, which approves nothing: {_HOW}.")


def _read(raw: bytes, stack: str, where: str) -> Approval:
    """A plan in JSON, or the text of an approval."""
    if raw.lstrip().startswith(b"{"):
        return _among(raw, stack, where)
    return _parsed(raw.decode(errors="replace").strip())


def _among(raw: bytes, stack: str, where: str) -> Approval:
    return approval_among(read_plans(raw, where=where), stack=stack, where=where)


def _json(plan: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(plan).encode()
    except (TypeError, ValueError) as error:
        raise TypeError(f"approve is a mapping that is not JSON: {error}; {_HOW}.") from None


def _parsed(text: str) -> Approval:
    try:
        return Approval.parse(text)
    except ValueError:
        raise ValueError(
            f"{text[:80]!r} is not an approval: give all 64 digits of a fingerprint, or what "
            "`ctxprov approved` prints; a file is given as a Path, a plan in JSON as bytes."
        ) from None
