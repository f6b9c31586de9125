"""
Why a cache is dealt with as it is, and what comes of it: for those who want to know it all.

Decisions, calls and moments come as values; here they become text.  No content and no key
is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from provisioner.escape import plain
from provisioner.model import (
    TOLERANCE,
    Cause,
    Create,
    DesiredCache,
    Life,
    Replace,
    Settings,
    Ttl,
    Until,
)
from provisioner.model.explanation import Call, Explanation, Flip
from provisioner.render.layout import NARROWEST, columns, hang, pad, wrap
from provisioner.render.tenses import tenses_text
from provisioner.render.thresholds import granted_of, settings_of
from provisioner.times import moment_text
from provisioner.view.money_text import cost_sentences, cost_text
from provisioner.view.snapshot import Tokens
from provisioner.view.tone import Palette
from provisioner.view.units import moment_short, size_text, span_text, when
from provisioner.view.wording import heading, symbol, tone, why

_GAP = "  "
_CAUSES: Mapping[Cause, str] = MappingProxyType(
    {Cause.EDIT: "an edit", Cause.TIME: "time", Cause.DRIFT: "the live side"}
)


def explain_text(explanations: Iterable[Explanation], *, width: int, colour: bool) -> str:
    """Explain each at length."""
    width, palette = max(width, NARROWEST), Palette(colour)
    blocks = ["\n".join(_block(one, width, palette)) for one in explanations]
    return "\n\n\n".join(blocks) + "\n"


def _block(one: Explanation, width: int, palette: Palette) -> Iterator[str]:
    change = one.change
    verb, group = change.verb, heading(change)
    head = f"{symbol(verb, group)} {plain(change.name)}: {verb}"
    yield palette.paint(head.strip(), tone(verb, group) if change.is_pending else "strong")
    yield from wrap(plain(_sentence(why(change, one.at))), width)
    yield ""
    yield from _pairs(_decision(one), width)
    yield ""
    yield from tenses_text(change, at=one.at, width=width, palette=palette)
    sections = {
        "Thresholds": _pairs(_thresholds(one), width),
        "Money": _items(list(_money(one)), "nothing", width),
        "Apply would call": _items(
            [_call_text(call, one) for call in one.calls], "no API calls", width
        ),
        "If only time passes": _pairs(_turns(one), width),
    }
    for title, lines in sections.items():
        if lines:
            yield from ("", palette.paint(title, "strong"), *lines)


def _decision(one: Explanation) -> Iterator[tuple[str, str]]:
    change = one.change
    cause = change.reason.cause
    yield "reason", f"{change.reason.name}{f', caused by {_CAUSES[cause]}' if cause else ''}"
    yield "rule", f"{change.row.sentence}: {change.verb}"
    yield "declared", one.declared or "nowhere"
    yield "planned", moment_text(one.at.replace(microsecond=0))


def _thresholds(one: Explanation) -> Iterator[tuple[str, str]]:
    settings, granted = settings_of(one.change), granted_of(one.change)
    if settings is None:
        return
    if granted is not None:
        asked = "" if one.change.live else ", if the provider grants it"
        yield "granted life", f"{span_text(granted)}{asked}"
    if window := _window(one, settings, granted):
        yield "window", window
    yield "retire_after", span_text(settings.retire_after)
    yield "tolerance", span_text(TOLERANCE)


def _window(one: Explanation, settings: Settings, granted: timedelta | None) -> str:
    """When a refresh is due; nothing of what is not declared."""
    match one.change.want:
        case DesiredCache(life=Until()):
            return "none: it ends at its expires_at"
        case DesiredCache() if settings.keep == "once":
            return "none: keep once"
        case DesiredCache() if granted is not None:
            before = f"{span_text(settings.window(granted))} before the end"
            return f"{_opens(one.window, one.at)}, {before}" if one.window else f"opens {before}"
        case _:
            return ""


def _opens(window: datetime, at: datetime) -> str:
    if window > at:
        return f"opens {when(window, at=at)}"
    return f"open since {moment_short(window, at=at)}"


def _money(one: Explanation) -> Iterator[str]:
    if paid := cost_text(one.cost):
        yield _sentence(paid)
    yield from cost_sentences(one.cost)
    if one.prices:
        yield f"By the prices of {one.prices.as_of}: {one.prices.source}"
    if one.prices and one.prices.uncertain:
        yield "These prices rest on a single report or on an inference."


def _turns(one: Explanation) -> Iterator[tuple[str, str]]:
    if not one.flips:
        yield "never", "nothing else is decided until something is edited"
    for flip in one.flips:
        yield when(flip.at, at=one.at), _turn(flip)


def _turn(flip: Flip) -> str:
    if flip.change is None:
        return "gone; nothing is left to decide"
    text = f"{flip.change.verb} ({flip.change.reason.name})"
    return f"{text}: {why(flip.change, flip.at)}"


def _call_text(call: Call, one: Explanation) -> str:
    text = f"{call.method} {call.path}{_life_text(call.life)}"
    match one.change:
        case Create(want=want) | Replace(want=want) if call.method == "POST":
            tokens = Tokens(want.measure.tokens, estimated=not want.measure.counted)
            return f"{text} ({size_text(want.measure.size)}, {tokens} tokens)"
        case _:
            return text


def _life_text(life: Life | None) -> str:
    """As the provider spells it."""
    match life:
        case Ttl(span):
            return f" ttl={int(span.total_seconds())}s"
        case Until(moment):
            return f" expireTime={moment_text(moment)}"
        case None:
            return ""


def _pairs(pairs: Iterable[tuple[str, str]], width: int) -> list[str]:
    lines_by_key = [(key, plain(value)) for key, value in pairs]
    indent = len(_GAP) * 2 + max((columns(key) for key, _ in lines_by_key), default=0)
    lines = []
    for key, value in lines_by_key:
        lines += hang(pad(_GAP + key, indent), value, width=width, indent=indent)
    return lines


def _items(texts: Sequence[str], none: str, width: int) -> list[str]:
    return [
        line
        for text in texts or (none,)
        for line in hang(_GAP, plain(text), width=width, indent=len(_GAP))
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
