"""A sample of the campaign in `fuzz.py`: about a minute of damaged documents."""

from __future__ import annotations

from tests.faults.fuzz import fuzz


def test_every_reader_answers_or_refuses() -> None:
    """A damaged document is read or refused, and never ends in anything else."""
    assert sum(fuzz(600_000, seed=1).values()) > 500_000
