"""
An explanation for machines: whole digests, moments and durations, and no words to parse.
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.cache import Json
from provisioner.escape import json_text
from provisioner.model import TOLERANCE
from provisioner.model.attributes import life_fields
from provisioner.model.explanation import Call, Explanation, Flip
from provisioner.model.model_catalog import Period
from provisioner.render.tenses import TITLES, tense_words, tenses
from provisioner.render.thresholds import granted_of, settings_of
from provisioner.times import duration_text, moment_text
from provisioner.view.money import cost_json
from provisioner.view.wording import why

FORMAT_VERSION = 1


def explain_json(stack: str, explanations: Sequence[Explanation]) -> str:
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "stack": stack,
            "explanations": [_words(one) for one in explanations],
        }
    )


def _words(one: Explanation) -> dict[str, Json]:
    change = one.change
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
        **{
            title.lower(): tense_words(tense)
            for title, tense in zip(TITLES, tenses(change), strict=True)
        },
        "thresholds": _threshold_words(one),
        "cost": cost_json(one.cost),
        "prices": _price_words(one.prices) if one.prices else None,
        "calls": [_call_words(call) for call in one.calls],
        "flips": [_flip_words(flip) for flip in one.flips],
    }


def _threshold_words(one: Explanation) -> Json:
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


def _price_words(prices: Period) -> dict[str, Json]:
    return {
        "as_of": prices.as_of.isoformat(),
        "source": prices.source,
        "uncertain": prices.uncertain,
    }


def _call_words(call: Call) -> dict[str, Json]:
    return {
        "method": call.method,
        "path": call.path,
        "life": life_fields(call.life) if call.life else None,
    }


def _flip_words(flip: Flip) -> dict[str, Json]:
    change = flip.change
    return {
        "at": moment_text(flip.at),
        "action": change.verb if change else None,
        "reason": change.reason.value if change else None,
        "cause": change.reason.cause if change else None,
        "why": why(change, flip.at) if change else "gone; nothing is left to decide",
    }
