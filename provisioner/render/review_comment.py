"""
The one comment under a review: plans, below a line that only machines read.

The line identifies what the comment shows: the stacks, their edits, and the changes, limits and
money of these.  The comment is updated when one of them differs, and for no other reason, since
each update may notify the subscribers of the review.  The line is digits and the names of
limits, so that no untrusted text is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from msgspec import Struct

from provisioner.model.plan import ApprovalText
from provisioner.render.markdown import LIMIT, headlines, is_cut, plan_markdown
from provisioner.render.summary import leftover_lines
from provisioner.view.plan import PlanView

_LINE = re.compile(
    r"<!-- ctxprov ([0-9a-f]{16}) ([0-9a-f]{64}(?:,[0-9a-z_.]+)*) ([0-9a-f]{16})( cut)? -->\n",
    re.ASCII,
)
_ROOM = 256
"""Bytes kept for the line without what is known of the edits."""
_MOST_EDITS = 100
"""So many edits are named by their digests; of more only the fingerprint is known."""


class CommentMark(Struct, frozen=True, kw_only=True):
    """What a comment is about, and what it shows."""

    topic: str
    """The stacks; a comment about the same is the one to edit."""
    approval: ApprovalText
    """Of the plan; of several plans, a fingerprint over theirs."""
    shown: str
    """A digest of all that is shown of the edits, times left out."""
    cut: bool
    """Whether rows were left out, so that no reviewer can have read them."""


def topic_of(stacks: Iterable[str]) -> str:
    return _digest(sorted(stacks))[:16]


def comment_text(views: Sequence[PlanView], *, limit: int = LIMIT) -> tuple[CommentMark, str]:
    """
    The whole comment, in less than *limit* bytes, each plan with the same share of them.

    If a share has no room for what frames a plan, there are only headlines.
    """
    approval = _approval(views)
    room = limit - _ROOM - len(str(approval))
    pages = [plan_markdown(view, limit=room // len(views)) for view in views]
    text = "\n".join(pages)
    if len(text.encode()) >= room:
        text = headlines(pages, limit=room)
    mark = CommentMark(
        topic=topic_of(view.stack for view in views),
        approval=approval,
        shown=_digest(_shown(views))[:16],
        cut=is_cut(text),
    )
    cut = " cut" if mark.cut else ""
    return mark, f"<!-- ctxprov {mark.topic} {approval} {mark.shown}{cut} -->\n{text}"


def mark_in(text: str) -> CommentMark | None:
    """What the comment *text* says of itself; None if it is none of ours."""
    match = _LINE.match(text.replace("\r\n", "\n"))
    if match is None:
        return None
    topic, approval, shown, cut = match.groups()
    try:
        approved = ApprovalText.parse(approval)
    except ValueError:
        return None
    return CommentMark(topic=topic, approval=approved, shown=shown, cut=bool(cut))


def _approval(views: Sequence[PlanView]) -> ApprovalText:
    fingerprints = [view.fingerprint for view in views]
    if len(views) > 1:
        return ApprovalText(fingerprint=_digest(fingerprints))
    (view,) = views
    return ApprovalText(
        fingerprint=view.fingerprint,
        limits=frozenset(limit.limit for limit in view.limits if limit.refused),
        digests=view.digests if len(view.digests) <= _MOST_EDITS else frozenset(),
    )


def _shown(views: Iterable[PlanView]) -> Iterable[str]:
    for view in views:
        totals = view.totals
        yield f"{totals.once.nano} {totals.rent_per_hour_change.nano}"
        yield from (f"{limit.refused} {limit.why}" for limit in view.limits)
        yield from (f"{edit.key} {edit.before}" for edit in view.settings)
        yield from leftover_lines(view)
        rows = (row for row in view.rows if row.is_edit)
        yield from (f"{row.action} {row.reason} {row.name}" for row in rows)


def _digest(texts: Iterable[str]) -> str:
    return sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()
