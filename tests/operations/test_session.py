"""The moment of an `--at` counts from the local clock, for what no provider is asked about."""

from __future__ import annotations

from datetime import UTC, timedelta

from provisioner.cli.terminal import program_ports
from tests.builders import HOUR, NOW


def test_local_moments() -> None:
    """A moment stays as it is; a span counts from this moment, and nothing is this moment."""
    ports = program_ports()
    before = ports.now()

    assert ports.locally(NOW) == NOW
    assert timedelta() <= ports.locally(None) - before < HOUR
    assert 6 * HOUR <= ports.locally(6 * HOUR) - before < 7 * HOUR
    assert ports.locally(None).tzinfo is UTC
