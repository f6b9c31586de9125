"""A sample of the campaign in `commands.py`."""

from __future__ import annotations

import sys

import pytest

from tests.faults.commands import campaign


@pytest.mark.skipif(sys.platform != "linux", reason="the library is preloaded")
def test_apply_in_bad_weather() -> None:
    """After any failure a clean run leaves one live cache per entry; the plan names the rest."""
    happened = campaign(8, seed=7)

    assert happened["creates"] >= 8 * 6
    assert happened["answer cut"] + happened["request cut"] > 0
