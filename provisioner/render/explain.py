"""
Why a cache is dealt with as it is, and what comes of it: for those who want to know it all.

Decisions, calls and moments come as values; here they become text.  No content and no key
is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from provisioner.documents import document_fields
from provisioner.escape import json_text, plain
from provisioner.model.attributes import (
    TOLERANCE,
    Label,
    Life,
    Settings,
    Ttl,
    Until,
)
from provisioner.model.changes import Adopt, Cause, Change, Create, Keep, Note, Refresh, Replace
from provisioner.model.facts import Call
from provisioner.model.money import Cost
from provisioner.model.rates import Period
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.planner.transitions import Flip
from provisioner.render.layout import GAP, NARROWEST, Column, Palette, pairs, table, wrap
from provisioner.render.summary import SHORT
from provisioner.times import duration_text, moment_text
from provisioner.view import units
from provisioner.view.snapshot import Snapshot, life_view
from provisioner.view.wording import section, symbol, tone, value_text, why

FORMAT_VERSION = 1
_TITLES = ("DESIRED", "RECORDED", "LIVE")
_COLUMNS = (Column(), *(Column(title=title, narrow="wrap") for title in _TITLES))
_KEYS = (
    *("provider", "model", "digest", "life", "refresh_before", "retire_after", "keep", "protect"),
    *("created", "updated", "expires", "tokens", "id", "label"),
)
_TENSE_KEYS = (
    *("provider", "model", "digest", "life", "settings", "created_at", "updated_at"),
    *("expires_at", "tokens", "tokens_estimated", "id", "label"),
)
_UNKNOWN = "-"
_GONE = "gone; nothing is left to decide"
_DIFFERS = "≠"
_OF_TIME = frozenset({"created", "updated", "expires", "tokens"})
"""What moves by itself, so that a difference says nothing."""
_CAUSES: Mapping[Cause, str] = MappingProxyType(
    {Cause.EDIT: "an edit", Cause.TIME: "time", Cause.DRIFT: "the live side"}
)


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a plan holds *change*, and what comes of it."""

    change: Change
    at: datetime
    """The moment of the plan."""
    declared: str | None
    """Where its entry stands: `file:line:column`."""
    window: datetime | None
    """When its cache is to be refreshed."""
    calls: tuple[Call, ...]
    flips: tuple[Flip, ...]
    """The next of them, if no run happens until then."""
    cost: Cost
    prices: Period | None
    """What the cost is worked out from; None if the model has no price that day."""


class Tense(Struct, frozen=True):
    """What one of desired, recorded and live says of a cache, with its label and last update."""

    snapshot: Snapshot
    updated_at: datetime | None = None
    label: Label | None = None


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
            "explanations": [_explanation_fields(one) for one in explanations],
        }
    )


def _explanation_fields(one: Explanation) -> dict[str, object]:
    change = one.change
    desired, recorded, live = map(_tense_fields, tenses(change))
    return {
        "name": change.name,
        "action": change.verb,
        "reason": change.reason.value,
        "cause": change.reason.cause,
        "pending": change.is_pending,
        "why": why(change, one.at),
        "row": change.row.sentence,
        "at": moment_text(one.at),
        "declared_at": one.declared,
        "desired": desired,
        "recorded": recorded,
        "live": live,
        "thresholds": _threshold_fields(one),
        "cost": one.cost,
        "prices": _price_fields(one.prices) if one.prices else None,
        "calls": [
            {"method": call.method, "path": call.path, "life": call.life and life_view(call.life)}
            for call in one.calls
        ],
        "flips": [_flip_fields(flip) for flip in one.flips],
    }


def _threshold_fields(one: Explanation) -> dict[str, object] | None:
    settings, granted = settings_of(one.change), granted_of(one.change)
    if settings is None:
        return None
    return {
        "granted": duration_text(granted) if granted is not None else None,
        "window": duration_text(settings.window(granted)) if granted is not None else None,
        "window_opens_at": moment_text(one.window) if one.window else None,
        "retire_after": duration_text(settings.retire_after),
        "tolerance": duration_text(TOLERANCE),
    }


def _price_fields(prices: Period) -> dict[str, object]:
    return {"as_of": prices.as_of, "source": prices.source, "uncertain": prices.uncertain}


def _flip_fields(flip: Flip) -> dict[str, object]:
    change = flip.change
    return {
        "at": moment_text(flip.at),
        "action": change and change.verb,
        "reason": change and change.reason.value,
        "cause": change and change.reason.cause,
        "why": why(change, flip.at) if change else _GONE,
    }


def _block(one: Explanation, width: int, palette: Palette) -> Iterator[str]:
    change = one.change
    verb, group = change.verb, section(change)
    head = f"{symbol(verb, group)} {plain(change.name)}: {verb}"
    yield palette.paint(head.strip(), tone(verb, group) if change.is_pending else "strong")
    yield from wrap(plain(_sentence(why(change, one.at))), width)
    yield from ("", *_lines(_decision(one), width))
    yield from ("", *_tenses(change, at=one.at, width=width, palette=palette))
    calls = [_call_text(call, one) for call in one.calls]
    sections: Mapping[str, Iterable[tuple[str, str]]] = {
        "Thresholds": _thresholds(one),
        "Money": [("", text) for text in (*_money(one),) or ("nothing",)],
        "Apply would call": [("", text) for text in calls or ("no API calls",)],
        "If only time passes": _turns(one),
    }
    for title, texts in sections.items():
        if lines := _lines(texts, width):
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
        yield "granted life", f"{units.span_text(granted)}{asked}"
    if window := _window(one, settings, granted):
        yield "window", window
    yield "retire_after", units.span_text(settings.retire_after)
    yield "tolerance", units.span_text(TOLERANCE)


def _window(one: Explanation, settings: Settings, granted: timedelta | None) -> str:
    """When a refresh is due; nothing of what is not declared."""
    match one.change.want:
        case DesiredCache(life=Until()):
            return "none: it ends at its expires_at"
        case DesiredCache() if settings.keep == "once":
            return "none: keep once"
        case DesiredCache() if granted is not None:
            before = f"{units.span_text(settings.window(granted))} before the end"
            return f"{_opens(one.window, one.at)}, {before}" if one.window else f"opens {before}"
        case _:
            return ""


def _opens(window: datetime, at: datetime) -> str:
    if window > at:
        return f"opens {units.when(window, at=at)}"
    return f"open since {units.moment_short(window, at=at)}"


def _money(one: Explanation) -> Iterator[str]:
    if paid := units.cost_text(one.cost):
        yield _sentence(paid)
    yield from units.cost_sentences(one.cost)
    if one.prices:
        yield f"By the prices of {one.prices.as_of}: {one.prices.source}"
    if one.prices and one.prices.uncertain:
        yield "These prices rest on a single report or on an inference."


def _turns(one: Explanation) -> Iterator[tuple[str, str]]:
    if not one.flips:
        yield "never", "nothing else is decided until something is edited"
    for flip in one.flips:
        yield units.when(flip.at, at=one.at), _turn(flip)


def _turn(flip: Flip) -> str:
    if flip.change is None:
        return _GONE
    text = f"{flip.change.verb} ({flip.change.reason.name})"
    return f"{text}: {why(flip.change, flip.at)}"


def _call_text(call: Call, one: Explanation) -> str:
    text = f"{call.method} {call.path}{_life_text(call.life)}"
    match one.change:
        case Create(want=want) | Replace(want=want) if call.method == "POST":
            tokens = Snapshot.desired(want).tokens_text
            return f"{text} ({units.size_text(want.measure.size)}, {tokens} tokens)"
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


def _lines(texts: Iterable[tuple[str, str]], width: int) -> list[str]:
    """A line for each text; those with a key are indented, and begin at one column."""
    shown = [(f"{GAP}{key}" if key else "", plain(text)) for key, text in texts]
    return pairs(shown, width=width)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _tenses(change: Change, *, at: datetime, width: int, palette: Palette) -> list[str]:
    """A line for each attribute that any tense knows; `≠` marks where they disagree."""
    sides = [_cells(tense, at) if tense else {} for tense in tenses(change)]
    keys = [key for key in _KEYS if any(key in cells for cells in sides)]
    rows = [[plain(cells.get(key, _UNKNOWN)) for cells in sides] for key in keys]
    heads = [f"{_mark(key, cells, palette)} {key}" for key, cells in zip(keys, rows, strict=True)]
    cells = [[head, *texts] for head, texts in zip(heads, rows, strict=True)]
    header, *lines = table(_COLUMNS, cells, width=width)
    return [palette.paint(header, "quiet"), *lines]


def _mark(key: str, cells: Sequence[str], palette: Palette) -> str:
    differs = key not in _OF_TIME and len({cell for cell in cells if cell != _UNKNOWN}) > 1
    return palette.paint(_DIFFERS, "change") if differs else " "


def _cells(tense: Tense, at: datetime) -> Mapping[str, str]:
    side = tense.snapshot
    life, settings = (document_fields(part) if part else {} for part in (side.life, side.settings))
    moments = {"created": side.created_at, "updated": tense.updated_at, "expires": side.expires_at}
    cells = {
        "provider": side.provider,
        "model": side.model,
        "digest": side.digest and side.digest[:SHORT],
        "life": " ".join(f"{key} {value}" for key, value in life.items()),
        **{key: value_text(value) for key, value in settings.items()},
        **{key: moment and units.moment_short(moment, at=at) for key, moment in moments.items()},
        "tokens": side.tokens and side.tokens_text,
        "id": side.id,
        "label": tense.label and tense.label.identity,
    }
    return {key: value for key, value in cells.items() if value}


def tenses(change: Change) -> tuple[Tense | None, Tense | None, Tense | None]:
    """Desired, recorded and live, as *change* has them."""
    want, record, live = change.want, change.record, change.live
    label = want.label if isinstance(want, DesiredCache) else None
    return (
        Tense(Snapshot.desired(want), label=label) if want else None,
        _recorded_tense(record) if record else None,
        Tense(Snapshot.live(live), live.updated_at, live.label) if live else None,
    )


def settings_of(change: Change) -> Settings | None:
    """What is asked for, or what is on record where nothing is; None for annotations."""
    match change.want or change.record:
        case DesiredCache(settings=settings) | RecordedCache(settings=settings):
            return settings
        case _:
            return None


def granted_of(change: Change) -> timedelta | None:
    """The life that the window is measured by, or will be."""
    match change:
        case Refresh(live=live) | Note(live=live) | Keep(live=LiveCache() as live):
            return timedelta(seconds=round(live.granted.total_seconds()))
        case Create(want=want) | Replace(want=want) | Adopt(want=want):
            return want.life.span if isinstance(want.life, Ttl) else None
        case _:
            return None


def _recorded_tense(record: Recorded | RetiringCache) -> Tense:
    if isinstance(record, RetiringCache):
        end = record.expires_at or record.until
        return Tense(replace(Snapshot.retiring(record), expires_at=end))
    return Tense(Snapshot.recorded(record), record.updated_at)


def _tense_fields(tense: Tense | None) -> dict[str, object] | None:
    if tense is None:
        return None
    updated_at = tense.updated_at and moment_text(tense.updated_at)
    label = tense.label and tense.label.identity
    fields = {**document_fields(tense.snapshot), "updated_at": updated_at, "label": label}
    return {key: fields[key] for key in _TENSE_KEYS}
