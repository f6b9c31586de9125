"""Metrics as text: what a collector reads, and nothing that a name could slip in."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.facts import State
from provisioner.model.money import NO_PRICE, Money
from provisioner.render.metrics import Turn, last_successes, metrics_text
from tests.builders import HOUR, NOW, annotation, desired, noted, recorded, state
from tests.metrics import value_of

KNOWN = state(
    recorded(desired("manual")),
    replace(recorded(desired("faq")), expires_at=NOW - HOUR),
    noted(annotation("triage")),
)


def turn(
    folder: str = "stacks/a", *, known: State | None = KNOWN, succeeded_at: datetime | None = NOW
) -> Turn:
    return Turn(
        folder=folder,
        status=0,
        state=known,
        rents={"manual": Money.of(5 * 10**8), "faq": NO_PRICE} if known else {},
        succeeded_at=succeeded_at,
    )


def test_everything() -> None:
    """The file has caches, seconds to expiry, rent, the exit status and the last success."""
    text = metrics_text([turn()], now=NOW)

    assert value_of(text, "ctxprov_caches", stack="demo") == 3
    assert value_of(text, "ctxprov_retiring_caches", stack="demo") == 0
    assert value_of(text, "ctxprov_cache_seconds_to_expiry", stack="demo", name="faq") == -3600
    assert value_of(text, "ctxprov_rent_usd_per_hour", stack="demo") == 0.5
    assert value_of(text, "ctxprov_unpriced_caches", stack="demo") == 1
    success = value_of(text, "ctxprov_last_success_timestamp_seconds", folder="stacks/a")
    assert success == NOW.timestamp()
    assert value_of(text, "ctxprov_last_exit_status", folder="stacks/a") == 0


def test_a_metric_has_its_help_once() -> None:
    """Two stacks share the head of each metric, and one without samples has none."""
    text = metrics_text([turn("a"), turn("b", known=None, succeeded_at=None)], now=NOW)

    assert text.count("# TYPE ctxprov_last_run_timestamp_seconds gauge") == 1
    assert text.count("ctxprov_last_run_timestamp_seconds{") == 2
    assert "ctxprov_caches" not in metrics_text([turn(known=None)], now=NOW)


@given(folder=st.text(min_size=1), at=st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001  # made aware below
def test_the_last_success_is_read_back(folder: str, at: datetime) -> None:
    """A folder with any name has one line, and its last success is found again."""
    moment = at.replace(tzinfo=NOW.tzinfo)
    text = metrics_text([turn(folder, known=None, succeeded_at=moment)], now=NOW)

    found = last_successes(text)

    assert list(found) == [folder]
    assert abs(found[folder] - moment.timestamp()) < 1e-5


@pytest.mark.parametrize("text", ["ctxprov_caches{", 'a{b="c} 1', "ctxprov_caches one"])
def test_another_format(text: str) -> None:
    """A file in another format is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        last_successes(text)
