"""A metrics file as a collector reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def value_of(text: str, metric: str, /, **labels: str) -> float | None:
    """The value of the sample with exactly these *labels*; None if there is none."""
    values = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return values.get((metric, frozenset(labels.items())))
