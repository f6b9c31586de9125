"""The same for three days.  `make check-newcomer` runs this."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.newcomer import newcomer


def test_three_days_of_runners_that_vanish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For three days the cache is alive after every run, and it was made once."""
    with newcomer(tmp_path, monkeypatch, capsys) as github:
        github.apply()
        github.schedule(timedelta(days=3))

        assert github.emulator.requests["create"] == 1
