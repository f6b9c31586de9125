"""
An approval as one argument: a fingerprint, the broken limits that were shown, and the edits.

A comment under a review carries it, `approved` prints it, and `apply --expect` takes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIMIT = re.compile(r"(delete|replace)\.(count|percent)|rent_per_hour|rent_total_per_30_days")


class ApprovalText(Struct, frozen=True, kw_only=True):
    """The parts of the text; without digests it has only their fingerprint."""

    fingerprint: str
    limits: tuple[str, ...] = ()
    """By dotted key, sorted."""
    digests: tuple[str, ...] = ()
    """Of the edits, sorted."""

    def __str__(self) -> str:
        return ",".join([self.fingerprint, *self.limits, *self.digests])


def approval_text(
    fingerprint: str, *, limits: Iterable[str] = (), digests: Iterable[str] = ()
) -> ApprovalText:
    return ApprovalText(
        fingerprint=fingerprint, limits=tuple(sorted(limits)), digests=tuple(sorted(digests))
    )


def parse_approval_text(text: str) -> ApprovalText:
    """Read an approval.  Raises ValueError for anything else."""
    fingerprint, *more = text.split(",")
    limits = [part for part in more if _LIMIT.fullmatch(part)]
    digests = [part for part in more if _DIGEST.fullmatch(part)]
    if not _DIGEST.fullmatch(fingerprint) or len(limits) + len(digests) != len(more):
        raise ValueError("it is not a fingerprint of 64 digits, followed by limits and edits")
    return approval_text(fingerprint, limits=limits, digests=digests)
