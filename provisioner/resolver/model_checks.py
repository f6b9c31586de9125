"""
What the catalogue says of the model that an entry asks for.

Without explicit caches there is nothing to create, and that is wrong; everything else is
advice, because the server decides and knows better.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from provisioner.catalog import Catalog
from provisioner.errors import Problem
from provisioner.manifest import Entry, UriSpec
from provisioner.model.attributes import Measure
from provisioner.model.model_catalog import Model

_SOON = timedelta(days=60)
_PROVIDERS = ("gemini", "claude", "openai")


def model_problems(entry: Entry, catalog: Catalog) -> Iterator[Problem]:
    """Why the model of *entry* cannot be cached at all."""
    model = catalog.find(entry.kind, entry.model)
    if model is None:
        for owner in _PROVIDERS:
            if catalog.find(owner, entry.model):
                message = f"{entry.model} is a model of {owner}, not of {entry.kind}"
                yield entry.at("model").problem(message)
    elif model.explicit_caching is False:
        message = f"{entry.model} has implicit caching only: no cache can be made for it"
        yield entry.at("model").problem(message)


def model_advice(
    entry: Entry, catalog: Catalog, measure: Measure, now: datetime
) -> Iterator[Problem]:
    """What to know of the model of *entry* at the moment *now*."""
    model = catalog.find(entry.kind, entry.model)
    if model is None:
        return
    if model.retires_on and (when := _retirement(model.retires_on, now.astimezone(UTC).date())):
        yield entry.at("model").problem(f"{entry.model} {when}")
    if model.min_tokens and measure.tokens < model.min_tokens and _is_all_here(entry):
        key = "content" if entry.parts else "system_instruction"
        yield entry.at(key).problem(_too_small(entry, model, measure))


def _retirement(day: date, today: date) -> str | None:
    if day <= today:
        return f"was retired on {day}"
    if day - today <= _SOON:
        left = (day - today).days
        return f"retires on {day}, in {left} day{'s' if left > 1 else ''}"
    return None


def _too_small(entry: Entry, model: Model, measure: Measure) -> str:
    end = {"gemini": "the server may refuse it"}.get(entry.kind, "nothing would be cached")
    return (
        f"comes to ~{measure.tokens:,} tokens, below the {model.min_tokens:,} from which "
        f"{entry.model} caches: {end}"
    )


def _is_all_here(entry: Entry) -> bool:
    """Whether the size of all content is known: not of what lies elsewhere."""
    return not any(isinstance(part, UriSpec) for part in entry.parts)
