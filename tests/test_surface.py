"""What users, scripts and importing programs depend on is frozen."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.surface import PARTS, golden


class Changed(NamedTuple):
    """A difference that is meant."""

    part: str
    name: str
    now: Any
    """The value as it is now; None if the name is gone."""
    why: str


CHANGED: tuple[Changed, ...] = (
    Changed(
        "python",
        "GeminiContextCache.dated",
        "property: ServerDate | None",
        "the type of what it returns is a noun; no program can import it from `provisioner`",
    ),
    Changed(
        "commands",
        "ctxprov emulator --port",
        {"default": 8085, "max": 65535, "metavar": "PORT", "spelled": ["--port"]},
        "a number beyond the last port was a traceback",
    ),
    Changed(
        "python",
        "GeminiContextCache.__init__",
        "(self, api_key: str | None = None, base_url: str | None = None, *, "
        "model: str = 'gemini-3.8-flash', "
        "default_ttl: timedelta = datetime.timedelta(seconds=3600), "
        "api_version: str = 'v1beta', transport: httpx.AsyncBaseTransport | None = None, "
        "connect_timeout: float = 10.0, create_timeout: float = 120.0, "
        "read_timeout: float = 30.0, attempts: int = 4, "
        "max_wait: timedelta = datetime.timedelta(seconds=900), "
        "clock: Callable[[], datetime] | None = None, "
        "sleep: Callable[[float], Awaitable[None]] | None = None, "
        "runtime: Runtime = Runtime(...), environ: Mapping[str, str] | None = None) -> None",
        "a simulated program passes its own clocks, waits, lots and environment",
    ),
    Changed(
        "python",
        "Handles.__init__",
        "(self, path: str | os.PathLike[str], *, clock: Callable[[], datetime] | None = None, "
        "interval: timedelta | None = None, runtime: Runtime = Runtime(...), "
        "environ: Mapping[str, str] | None = None) -> None",
        "a simulated program passes its own clocks, threads and environment",
    ),
)
"""Every difference from what is frozen, with its reason."""


@pytest.mark.parametrize("part", PARTS)
def test_surface(part: str) -> None:
    """The surface differs from what is frozen by the rows of `CHANGED`, and by nothing else."""
    expected = golden(part)
    for row in CHANGED:
        if row.part == part:
            assert expected.get(row.name) != row.now, f"a row without a difference: {row}"
            expected[row.name] = row.now
    expected = {name: value for name, value in expected.items() if value is not None}

    assert PARTS[part]() == expected


def test_reasons() -> None:
    """Every row of `CHANGED` is of a part that exists, and says why."""
    assert [row for row in CHANGED if row.part not in PARTS or not row.why.strip()] == []
    assert len({row[:2] for row in CHANGED}) == len(CHANGED)
