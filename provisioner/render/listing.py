"""
Every live cache of a project: those with a label by stack, then all others.

A label says which stack a cache is of; only the state of that stack can say that one is a
stray.  Display names are untrusted text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice

from msgspec import Struct
from msgspec.structs import asdict

from provisioner.escape import plain
from provisioner.model.attributes import UNKNOWN
from provisioner.model.money import NO_RENT, Rent
from provisioner.model.records import LiveCache
from provisioner.render.layout import GAP, NARROWEST, Column, Palette, clip, table, wrap
from provisioner.times import moment_text
from provisioner.view.units import span_text, tokens_text, usd

FORMAT_VERSION = 1

_MODEL = 24
_COLUMNS = (
    Column(),
    Column(title="NAME", narrow="clip"),
    Column(title="MODEL"),
    Column(title="AGE", right=True),
    Column(title="LEFT", right=True),
    Column(title="TOKENS", right=True),
    Column(title="RENT", right=True),
    Column(title="ID"),
)
_WITH_ID = 120
"""From so many columns on there is room for ids."""


class Listed(Struct, frozen=True, kw_only=True):
    """A live cache and what its display name says, label or not."""

    live: LiveCache
    display_name: str
    rent: Rent
    """Of a month, if it is kept warm."""
    stray: bool = False
    """Whether the state of its stack is at hand, and does not have it."""
    undeclared: bool = False
    """Whether no manifest names its stack any more."""

    @property
    def stack(self) -> str | None:
        return self.live.label.stack if self.live.label else None

    @property
    def name(self) -> str:
        """What to call it: its name in the stack, its display name, or its id."""
        return self.live.label.name if self.live.label else self.display_name or self.live.id


def list_text(
    caches: Iterable[Listed], *, now: datetime, width: int, colour: bool, ids: bool = False
) -> str:
    """
    A table with a line per cache, stack by stack, then the others; totals at the end.

    *ids* shows those however narrow it is.
    """
    groups = _groups(caches)
    if not groups:
        return "This project has no live caches.\n"
    width, palette = max(width, NARROWEST), Palette(colour)
    shown = [one for group in groups.values() for one in group]
    shape = _COLUMNS if ids or width >= _WITH_ID else _COLUMNS[:-1]
    cells = [_cells(one, now)[: len(shape)] for one in shown]
    header, *lines = (GAP + line for line in table(shape, cells, width=width - len(GAP)))
    parts, rest = [palette.paint(header, "quiet")], iter(lines)
    for stack, group in groups.items():
        title = palette.paint(_title(stack, group), "strong")
        parts += ["", title, *islice(rest, len(group))]
    return "\n".join([*parts, "", *wrap(_totals(shown), width)]) + "\n"


def list_document(caches: Iterable[Listed], *, now: datetime) -> dict[str, object]:
    """The same for machines, in the same order."""
    shown = [one for group in _groups(caches).values() for one in group]
    return {
        "format_version": FORMAT_VERSION,
        "at": moment_text(now),
        "totals": {"caches": len(shown), "tokens": _tokens(shown), **asdict(_rent(shown))},
        "caches": [_fields(one) for one in shown],
    }


def _groups(caches: Iterable[Listed]) -> Mapping[str | None, Sequence[Listed]]:
    """By stack, in order; None, for caches without a label, comes last."""
    ordered = sorted(caches, key=lambda one: (one.name, one.live.expires_at, one.live.id))
    ordered.sort(key=lambda one: (one.stack is None, one.stack or ""))
    return {stack: list(group) for stack, group in groupby(ordered, key=lambda one: one.stack)}


def _cells(one: Listed, now: datetime) -> tuple[str, ...]:
    left = one.live.expires_at - now
    return (
        "?" if one.stray else "",
        plain(one.name),
        clip(plain(one.live.model), _MODEL),
        span_text(now - one.live.created_at),
        span_text(left) if left > timedelta() else "expired",
        tokens_text(one.live.tokens),
        usd(one.rent.rent_per_hour, "/h"),
        plain(one.live.id),
    )


def _title(stack: str | None, group: Sequence[Listed]) -> str:
    note = ", declared no longer" if group[0].undeclared else ""
    return f"{stack or 'Without a label of ctxprov'} ({_caches(group)}{note})"


def _totals(shown: Sequence[Listed]) -> str:
    strays = sum(one.stray for one in shown)
    note = f"; {strays} stray (?): labelled as ours, not on record" if strays else ""
    month = f"{usd(_rent(shown).rent_30_days)} in 30 days if all are kept warm"
    return f"{_caches(shown)} in all, {month}{note}."


def _caches(group: Sequence[Listed]) -> str:
    plural = "" if len(group) == 1 else "s"
    paid = usd(_rent(group).rent_per_hour, "/h")
    tokens = _tokens(group)
    count = "?" if tokens is None else tokens_text(tokens) if tokens else "0"
    return f"{len(group)} cache{plural}, {count} tokens, {paid}"


def _rent(group: Iterable[Listed]) -> Rent:
    return sum((one.rent for one in group), NO_RENT)


def _tokens(group: Sequence[Listed]) -> int | None:
    """All of a group; None if one has no count that is known, for that absorbs the sum."""
    counts = [one.live.tokens for one in group]
    return None if UNKNOWN in counts else sum(counts)


def _fields(one: Listed) -> dict[str, object]:
    live = one.live
    return {
        "id": live.id,
        "provider": live.provider,
        "display_name": one.display_name,
        "stack": one.stack,
        "name": live.label.name if live.label else None,
        "stray": one.stray,
        "model": live.model,
        "created_at": moment_text(live.created_at),
        "updated_at": moment_text(live.updated_at),
        "expires_at": moment_text(live.expires_at),
        "tokens": live.tokens or None,
        **asdict(one.rent),
        "undeclared": one.undeclared,
    }
