"""
Where a manifest may have state and handles written.

A manifest comes with a checkout, so it is not trusted with the rest of the machine: a path of
its own ends inside of the repository, links followed, outside of every `.git`, and never at a
file that ctxprov did not write.  An address from the command line or the environment may be
anything: the workflow gives it, which is reviewed.  What an object store or a server holds is
looked at only when it is written to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from provisioner.errors import ManifestError, Problem
from provisioner.files import leads_out, read_whole
from provisioner.git import top_of
from provisioner.manifest.types import DEFAULT_STATE, Frame
from provisioner.storage import is_remote, split_file

_CLI = "give --state or CTXPROV_STATE for a place elsewhere"


def boundary_of(frame: Frame) -> Path:
    """The folder that the manifest's paths end in: the top of its repository, or its own."""
    return top_of(frame.root) or frame.root.resolve()


def check_destinations(frame: Frame, *, with_state: bool) -> None:
    """Raise ManifestError with every problem that `destination_problems` finds."""
    if problems := destination_problems(frame, with_state=with_state):
        raise ManifestError(problems)


def destination_problems(frame: Frame, *, with_state: bool) -> list[Problem]:
    """What is wrong with `publish:` and, *with_state*, with `state:`, each at its place."""
    return [*_of_publish(frame), *(_of_state(frame) if with_state else ())]


def _of_state(frame: Frame) -> Iterator[Problem]:
    address = frame.state or DEFAULT_STATE
    if is_remote(address):
        return
    if reason := leads_out(frame.root / address, boundary_of(frame)):
        yield frame.problem("state", f"{reason}: name a folder inside of it, or {_CLI}")


def _of_publish(frame: Frame) -> Iterator[Problem]:
    if frame.publish is None:
        return
    from provisioner.handles import reserved_for  # noqa: PLC0415  # for a stack that publishes

    if reserved := reserved_for(split_file(frame.publish)[1]):
        name = f"has the name of {reserved}, and would be taken for one: take another name"
        yield frame.problem("publish", name)
        return
    if is_remote(frame.publish):
        return
    path = frame.root / frame.publish
    if reason := leads_out(path, boundary_of(frame)) or _objection(path):
        yield frame.problem("publish", reason)


def _objection(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        content = read_whole(path)
    except OSError as error:
        return f"cannot be written to: {error.strerror}"
    from provisioner.handles import is_published  # noqa: PLC0415  # likewise

    if is_published(content):
        return None
    return "is a file that ctxprov did not write: take another name, or move that file away"
