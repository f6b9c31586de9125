"""
What stands in a checkout for a file that is not there: a pointer, or its encrypted form.

Decides what is a pointer of git LFS, by its whole text, so that a page about git LFS is none,
and what another tool has left locked.  It reads no file.
"""

from __future__ import annotations

import re

from msgspec import Struct

LONGEST = 1024
"""Bytes; git LFS takes nothing as long for a pointer."""

_POINTER = re.compile(
    rb"version https?://(?:git-lfs\.github\.com/spec/v1|hawser\.github\.com/spec/v1)\r?\n"
    rb"(?:ext-\d-[!-~]+ [!-~]+\r?\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\r?\n"
    rb"size (?P<size>\d{1,18})(?:\r?\n)?"
)

_ANNEX = re.compile(rb"/annex/objects/[^\s/]+\s*")


class Pointer(Struct, frozen=True):
    """Which file a pointer stands for."""

    oid: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""


def pointer_in(content: bytes) -> Pointer | None:
    """The pointer that *content* is; None if it is anything else."""
    if len(content) >= LONGEST or not content.startswith(b"version "):
        return None
    match = _POINTER.fullmatch(content)
    return Pointer(match["oid"].decode(), int(match["size"])) if match else None


def locked(head: bytes) -> str | None:
    """
    What a file that begins with *head* stands for, and what to do, to follow its path.

    None if it is a file like any other.
    """
    if head.startswith(b"\0GITCRYPT\0"):
        return "is encrypted by git-crypt, not the file itself: run git-crypt unlock"
    if _ANNEX.fullmatch(head):
        return "is a git-annex pointer, not the file itself: run git annex get"
    return None
