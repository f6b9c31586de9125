"""
What became of a plan: a line for each change as it ends, and a table when all have.

Errors carry the words of servers and files: they are shown as one harmless line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from provisioner.cache import Json
from provisioner.escape import json_text, plain
from provisioner.model import (
    Done,
    Failed,
    NotAttempted,
    Outcome,
    Plan,
    Result,
    Tone,
)
from provisioner.model.money import Cost
from provisioner.render.document import FORMAT_VERSION, row_words
from provisioner.render.layout import NARROWEST, clip, columns, hang, pad
from provisioner.times import moment_text
from provisioner.view.row import rows
from provisioner.view.tone import Palette
from provisioner.view.wording import heading, symbol, tone

Fate: TypeAlias = Literal["done", "failed", "not attempted"]
FATES: tuple[Fate, ...] = ("done", "not attempted", "failed")
"""What matters most comes last, where a terminal shows it."""

_MEMBERS = "      "
_MOST = 48
"""As long as a name may be."""


class Ending(Struct, frozen=True, kw_only=True):
    """How one change ended, in words.  They are foreign."""

    fate: Fate
    symbol: str
    tone: Tone
    name: str
    action: str
    words: str


def ending(result: Result) -> Ending:
    change = result.change
    fate, words = _fate(result.outcome)
    done, verb, under = fate == "done", change.verb, heading(change)
    return Ending(
        fate=fate,
        symbol=symbol(verb, under) if done else "!" if fate == "failed" else "·",
        tone=tone(verb, under) if done else "bad" if fate == "failed" else "quiet",
        name=change.name,
        action=verb,
        words=change.past if done else words,
    )


def result_line(result: Result, *, colour: bool, shown: dict[str, str]) -> str:
    """
    One line, without its end: `+ manual: created`, `! manual: create failed: …`.

    *shown* maps the text of each earlier failure to the name that it was shown for, and
    gains this one: a failure like an earlier one is `! faq: create failed: as manual`.
    """
    end = ending(result)
    text = end.words
    if end.fate != "done":
        first = shown.setdefault(end.words, end.name)
        why = end.words if first == end.name else f"as {first}"
        text = f"{end.action} {end.fate}: {why}"
    mark = Palette(colour).paint(end.symbol, end.tone)
    return f"{mark} {plain(end.name)}: {plain(text)}"


def result_text(results: Iterable[Result], *, width: int, colour: bool) -> str:
    """Count how everything ended; if anything did not end well, list it all."""
    width, palette = max(width, NARROWEST), Palette(colour)
    ends = [ending(result) for result in results]
    number = tally(ends)
    blocks = [
        _block(fate, [end for end in ends if end.fate == fate], width, palette)
        for fate in FATES
        if number[fate] and number["done"] < len(ends)
    ]
    lines = ["\n".join(block) + "\n\n" for block in blocks]
    return "".join(lines) + palette.paint(tally_line(number), "strong") + "\n"


def result_json(plan: Plan, results: Sequence[Result], costs: Iterable[Cost]) -> str:
    """The changes as in the plan, with their *costs*, each with its outcome and its error."""
    ends = [ending(result) for result in results]
    shown = rows(plan, (result.change for result in results), costs)
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "stack": plan.stack,
            "at": moment_text(plan.now),
            "fingerprint": plan.fingerprint,
            "summary": {fate.replace(" ", "_"): number for fate, number in tally(ends).items()},
            "results": [
                {**row_words(row), **_end_words(end)} for row, end in zip(shown, ends, strict=True)
            ],
        }
    )


def summary_line(results: Iterable[Result]) -> str:
    """The tally alone, on one line."""
    return tally_line(tally([ending(result) for result in results]))


def tally(ends: Iterable[Ending]) -> Mapping[Fate, int]:
    found = Counter(end.fate for end in ends)
    return {
        "done": found["done"],
        "failed": found["failed"],
        "not attempted": found["not attempted"],
    }


def tally_line(number: Mapping[Fate, int]) -> str:
    """`Applied: 3 done, 1 failed, 2 not attempted.`"""
    return f"Applied: {', '.join(f'{count} {fate}' for fate, count in number.items())}."


def _fate(outcome: Outcome) -> tuple[Fate, str]:
    match outcome:
        case Done():
            return "done", ""
        case Failed(error):
            return "failed", str(error)
        case NotAttempted(why):
            return "not attempted", why


def _block(fate: Fate, ends: Sequence[Ending], width: int, palette: Palette) -> list[str]:
    """A row for each change; those that ended for the same reason share one."""
    groups = _alike(ends)
    titles = [_title(group) for group in groups]
    names = min(max(map(columns, titles)), _MOST, width // 3)
    verbs = max(len(end.action) for end in ends)
    lines = [palette.paint(fate.capitalize(), "strong")]
    for title, group in zip(titles, groups, strict=True):
        end = group[0]
        mark = palette.paint(end.symbol, end.tone)
        head = f"  {mark} {pad(clip(title, names), names)}  {pad(end.action, verbs)}  "
        indent = len("  +   ") + names + verbs + len("  ")
        words = "" if end.fate == "done" else plain(end.words)
        lines += hang(head, words, width=width, indent=indent)
        if len(group) > 1:
            members = ", ".join(sorted(plain(one.name) for one in group))
            lines += hang(_MEMBERS, members, width=width, indent=len(_MEMBERS))
    return lines


def _alike(ends: Iterable[Ending]) -> list[list[Ending]]:
    """*ends* in their order; those that were not done, with what was to be done and why not."""
    groups: dict[tuple[str, ...], list[Ending]] = {}
    for end in ends:
        key = (end.name,) if end.fate == "done" else (end.action, end.words)
        groups.setdefault(key, []).append(end)
    return list(groups.values())


def _title(group: Sequence[Ending]) -> str:
    return plain(group[0].name) if len(group) == 1 else f"{len(group):,} caches"


def _end_words(end: Ending) -> dict[str, Json]:
    return {
        "outcome": end.fate.replace(" ", "_"),
        "error": None if end.fate == "done" else end.words,
    }
