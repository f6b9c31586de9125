"""Every renderer ends, in every width and with every name and text."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.money import UNSPENT
from provisioner.render.difference import Patch, patch_text
from provisioner.render.forecast import forecast_text
from provisioner.render.plan_table import plan_text
from provisioner.view.forecast import Forecast, Outlook, Tolerance
from tests.builders import HOUR
from tests.render.fixtures import view
from tests.render.test_hostile import Nasty, terminal_texts

TEXTS = st.text(
    st.sampled_from("ab/-. 漢é\u0301\u200d\u1160🚀|`"), min_size=1, max_size=120
) | st.builds(str.__mul__, st.sampled_from("a/漢\u0301"), st.integers(1, 400))
SECONDS = 60
"""Far more than any renderer takes, also on a busy machine."""


@contextmanager
def time_bound() -> Iterator[None]:
    """What never ends is a failure, not a test that hangs."""

    def late(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise TimeoutError(f"a renderer takes more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@settings(max_examples=25)
@given(TEXTS, st.integers(1, 200))
def test_every_renderer_ends(text: str, width: int) -> None:
    """No width is so narrow, and no name or text so wide, that a renderer does not finish."""
    outlook = Outlook(name=text, refreshes=1, creations=1, cold=HOUR, spent=UNSPENT)
    tightest = Tolerance(name=text, ttl=HOUR, window=HOUR)
    forecast = Forecast(
        stack=text, every=HOUR, runs=1, missed=0, tightest=tightest, outlooks=(outlook,)
    )
    with time_bound():
        assert all(terminal_texts(Nasty(text), [width]))
        assert patch_text(Patch(text, None, text.encode()), colour=False)
        assert forecast_text(forecast)


def test_every_width_ends() -> None:
    """In each width from 1 to 200, a plan whose changed file's path is 92 columns is laid out."""
    shown = view(Nasty("a" * 92).plan)
    with time_bound():
        for width in range(1, 201):
            assert plan_text(shown, width=width, colour=False, verbose=True)
