"""
One entry for many: the files and folders that a pattern names.

A pattern is a path whose steps may hold `*`, `?` and `[…]`; it never goes deeper than it
has steps, never leaves the manifest's folder, and does not see hidden names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from provisioner.manifest.confined_folder import Folder, FolderEntry, Unreadable, alike
from provisioner.manifest.source_map import shown

SLOT = "{each}"


class Match(Struct, frozen=True):
    """A file or folder, and the word that stands for it: its name, without a file's suffix."""

    path: str
    word: str


def matches(folder: Folder, pattern: str) -> tuple[Match, ...]:
    """
    What *pattern* names, in the order of paths; a slash at its end takes folders alone.

    Raises `Unreadable` with what is wrong, also if it names nothing.
    """
    steps = [step for step in pattern.split("/") if step not in {"", "."}]
    if pattern.startswith("/"):
        raise Unreadable("is absolute: write it relative to the manifest's folder")
    if ".." in steps:
        raise Unreadable("lies outside of the manifest's folder")
    if any("**" in step for step in steps):
        raise Unreadable("has a '**': write a step for each folder on the way, such as */*")
    found = tuple(_walk(folder, "", steps, folders_only=pattern.endswith("/")) if steps else ())
    for absent in folder.lacks(steps, [match.path for match in found]):
        raise Unreadable(f"may name {shown(absent.path)}, which {absent.reason}")
    if not found:
        raise Unreadable("names nothing that is there")
    return found


def _walk(
    folder: Folder, above: str, steps: Sequence[str], *, folders_only: bool
) -> Iterator[Match]:
    step, *rest = steps
    for one in folder.listed(above):
        if not alike(one.name, step):
            continue
        path = f"{above}/{one.name}".removeprefix("/")
        is_folder = _is_folder(folder, one, path)
        if rest and is_folder:
            yield from _walk(folder, path, rest, folders_only=folders_only)
        elif not rest and (is_folder or not folders_only):
            stem = one.name if is_folder else one.name.rpartition(".")[0]
            yield Match(path, stem or one.name)


def _is_folder(folder: Folder, one: FolderEntry, path: str) -> bool:
    try:
        return folder.is_folder(one)
    except Unreadable as error:
        raise Unreadable(f"names {shown(path)}, which {error}") from error
