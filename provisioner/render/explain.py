"""
Why a cache is dealt with as it is, and what comes of it: for those who want to know it all.

Decisions, calls and moments come as values; here they become words.  No content and no key
is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from provisioner.cache import Json
from provisioner.model import (
    TOLERANCE,
    Adopt,
    Cause,
    Change,
    Create,
    DesiredCache,
    Keep,
    Life,
    LiveCache,
    Note,
    RecordedCache,
    Refresh,
    Replace,
    Settings,
    Ttl,
    Until,
    is_pending,
    name_of_change,
)
from provisioner.model.explanation import Call, Explanation, Flip
from provisioner.model.money import Cost
from provisioner.model.words import life_words
from provisioner.render.escape import json_text, plain
from provisioner.render.layout import NARROWEST, columns, hang, pad, wrap
from provisioner.render.money import cost_sentences, cost_text
from provisioner.render.money_json import cost_json
from provisioner.render.palette import Palette
from provisioner.render.side import Tokens
from provisioner.render.sizes import bytes_text, moment_short, span_text, when
from provisioner.render.tenses import (
    TITLES,
    live_of,
    tense_words,
    tenses,
    tenses_text,
    want_of,
)
from provisioner.render.wording import action, heading, symbol, tone, why
from provisioner.times import duration_text, moment_text

FORMAT_VERSION = 1

_GAP = "  "
_CAUSES: Mapping[Cause, str] = MappingProxyType(
    {Cause.EDIT: "an edit", Cause.TIME: "time", Cause.DRIFT: "the live side"}
)


def explain_text(explanations: Iterable[Explanation], *, width: int, colour: bool) -> str:
    """Explain each at length."""
    width, palette = max(width, NARROWEST), Palette(colour)
    blocks = ["\n".join(_block(one, width, palette)) for one in explanations]
    return "\n\n\n".join(blocks) + "\n"


def explain_json(stack: str, explanations: Sequence[Explanation]) -> str:
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "stack": stack,
            "explanations": [_words(one) for one in explanations],
        }
    )


def _block(one: Explanation, width: int, palette: Palette) -> Iterator[str]:
    change = one.change
    verb, group = action(change), heading(change)
    head = f"{symbol(verb, group)} {plain(name_of_change(change))}: {verb}"
    yield palette.paint(head.strip(), tone(verb, group) if is_pending(change) else "strong")
    yield from wrap(plain(_sentence(why(change, one.at))), width)
    yield ""
    yield from _pairs(_decision(one), width)
    yield ""
    yield from tenses_text(change, at=one.at, width=width, palette=palette)
    sections = {
        "Thresholds": _pairs(_thresholds(one), width),
        "Money": _items(list(_money(one.cost)), "nothing", width),
        "Apply would call": _items([_call_text(call, one) for call in one.calls], "nobody", width),
        "If only time passes": _pairs(_turns(one), width),
    }
    for title, lines in sections.items():
        if lines:
            yield from ("", palette.paint(title, "strong"), *lines)


def _decision(one: Explanation) -> Iterator[tuple[str, str]]:
    change = one.change
    cause = change.reason.cause
    yield "reason", f"{change.reason.name}{f', caused by {_CAUSES[cause]}' if cause else ''}"
    yield "first row", f"{one.row} → {action(change)}"
    yield "declared", one.declared or "nowhere"
    yield "planned", moment_text(one.at.replace(microsecond=0))


def _thresholds(one: Explanation) -> Iterator[tuple[str, str]]:
    settings, granted = _settings(one.change), _granted(one.change)
    if settings is None:
        return
    if granted is not None:
        asked = "" if live_of(one.change) else ", if the provider grants it"
        yield "granted life", f"{span_text(granted)}{asked}"
    if window := _window(one, settings, granted):
        yield "window", window
    yield "retire_after", span_text(settings.retire_after)
    yield "tolerance", span_text(TOLERANCE)


def _window(one: Explanation, settings: Settings, granted: timedelta | None) -> str:
    """When a refresh is due; nothing of what is not declared."""
    match want_of(one.change):
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


def _money(cost: Cost) -> Iterator[str]:
    if paid := cost_text(cost):
        yield _sentence(paid)
    yield from cost_sentences(cost)


def _turns(one: Explanation) -> Iterator[tuple[str, str]]:
    if not one.flips:
        yield "never", "nothing else is decided until something is edited"
    for flip in one.flips:
        yield when(flip.at, at=one.at), _turn(flip)


def _turn(flip: Flip) -> str:
    if flip.change is None:
        return "gone; nothing is left to decide"
    words = f"{action(flip.change)} ({flip.change.reason.name})"
    return f"{words}: {why(flip.change, flip.at)}"


def _call_text(call: Call, one: Explanation) -> str:
    words = f"{call.method} {call.path}{_life_text(call.life)}"
    match one.change:
        case Create(want=want) | Replace(want=want) if call.method == "POST":
            tokens = Tokens(want.measure.tokens, estimated=not want.measure.counted)
            return f"{words} ({bytes_text(want.measure.size)}, {tokens} tokens)"
        case _:
            return words


def _life_text(life: Life | None) -> str:
    """As the provider spells it."""
    match life:
        case Ttl(span):
            return f" ttl={int(span.total_seconds())}s"
        case Until(moment):
            return f" expireTime={moment_text(moment)}"
        case None:
            return ""


def _settings(change: Change) -> Settings | None:
    match want_of(change), change.record:
        case DesiredCache(settings=settings), _:
            return settings
        case None, RecordedCache(settings=settings):
            return settings
        case _:
            return None


def _granted(change: Change) -> timedelta | None:
    """The life that the window is measured by, or will be."""
    match change:
        case Refresh(own=own) | Note(own=own) | Keep(own=LiveCache() as own):
            return timedelta(seconds=round(own.granted.total_seconds()))
        case Create(want=want) | Replace(want=want) | Adopt(want=want):
            return want.life.span if isinstance(want.life, Ttl) else None
        case _:
            return None


def _pairs(pairs: Iterable[tuple[str, str]], width: int) -> list[str]:
    told = [(key, plain(value)) for key, value in pairs]
    indent = len(_GAP) * 2 + max((columns(key) for key, _ in told), default=0)
    lines = []
    for key, value in told:
        lines += hang(pad(_GAP + key, indent), value, width=width, indent=indent)
    return lines


def _items(texts: Sequence[str], none: str, width: int) -> list[str]:
    return [
        line
        for text in texts or (none,)
        for line in hang(_GAP, plain(text), width=width, indent=len(_GAP))
    ]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _words(one: Explanation) -> dict[str, Json]:
    change = one.change
    return {
        "name": name_of_change(change),
        "action": action(change),
        "reason": change.reason.value,
        "cause": change.reason.cause,
        "pending": is_pending(change),
        "why": why(change, one.at),
        "row": one.row,
        "at": moment_text(one.at),
        "declared_at": one.declared,
        **{
            title.lower(): tense_words(tense)
            for title, tense in zip(TITLES, tenses(change), strict=True)
        },
        "thresholds": _threshold_words(one),
        "cost": cost_json(one.cost),
        "calls": [_call_words(call) for call in one.calls],
        "flips": [_flip_words(flip) for flip in one.flips],
    }


def _threshold_words(one: Explanation) -> Json:
    settings, granted = _settings(one.change), _granted(one.change)
    if settings is None:
        return None
    return {
        "granted": duration_text(granted) if granted is not None else None,
        "window": duration_text(settings.window(granted)) if granted is not None else None,
        "window_opens_at": moment_text(one.window) if one.window else None,
        "retire_after": duration_text(settings.retire_after),
        "tolerance": duration_text(TOLERANCE),
    }


def _call_words(call: Call) -> dict[str, Json]:
    return {
        "method": call.method,
        "path": call.path,
        "life": life_words(call.life) if call.life else None,
    }


def _flip_words(flip: Flip) -> dict[str, Json]:
    change = flip.change
    return {
        "at": moment_text(flip.at),
        "action": action(change) if change else None,
        "reason": change.reason.value if change else None,
        "cause": change.reason.cause if change else None,
        "why": why(change, flip.at) if change else "gone; nothing is left to decide",
    }
