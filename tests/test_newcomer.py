"""The GitHub example as a newcomer copies it keeps its cache alive on runners that vanish."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.newcomer import newcomer


@pytest.mark.heavy
def test_runners_that_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was applied once outlives its ttl, and is made once: the state is in git."""
    with newcomer(tmp_path, monkeypatch, capsys) as github:
        github.apply()
        github.schedule(timedelta(hours=13))

        assert (github.emulator.requests["create"], github.emulator.requests["patch"]) == (1, 1)
