"""`--at` is a span from now or a moment, and never farther ahead than any command looks."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
import pytest

from provisioner.cli import options
from provisioner.cli.clock import HORIZON
from tests.builders import HOUR, NOW


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+6h", 6 * HOUR),
        ("+1d12h", 36 * HOUR),
        ("+3650d", HORIZON),
        ("2026-01-01T12:00:00Z", NOW),
        ("2026-01-01T13:00:00+01:00", NOW),
    ],
)
def test_moments(text: str, moment: datetime | timedelta) -> None:
    """A span begins with a plus; anything else is a moment with its offset."""
    assert options.moment.convert(text, None, None) == moment


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("6h", "is neither"),
        ("tomorrow", "is neither"),
        ("2026-01-01T12:00:00", "is neither"),
        ("+3651d", "is more than"),
        ("9999-12-31T23:59:59Z", "is more than"),
    ],
)
def test_no_moments(text: str, reason: str) -> None:
    """What is no moment, or lies beyond the horizon, is wrong usage with the text in it."""
    with pytest.raises(click.BadParameter, match=reason) as refusal:
        options.moment.convert(text, None, None)

    assert text in refusal.value.message
