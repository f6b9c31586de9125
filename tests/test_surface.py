"""What users, scripts and importing programs depend on is frozen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
        "a simulated program passes its own clocks, waits, tokens and environment",
    ),
    *(
        Changed(
            "python",
            f"GeminiContextCache.{method}",
            f"async (self, handle: CacheHandle | CachedContext, *, {more}"
            f"before: Callable[[], Awaitable[None]] | None = None) -> {returned}",
            "a run looks at its lock once the quota lets a call out, as creates do",
        )
        for method, more, returned in (
            ("delete_cache", "", "None"),
            (
                "extend",
                "ttl: timedelta | None = None, expires_at: datetime | None = None, ",
                "CachedContext",
            ),
        )
    ),
    Changed(
        "python",
        "Handles.__init__",
        "(self, path: str | os.PathLike[str], *, clock: Callable[[], datetime] | None = None, "
        "interval: timedelta | None = None, runtime: Runtime = Runtime(...), "
        "environ: Mapping[str, str] | None = None, root: Path = PosixPath('.')) -> None",
        "a simulated program passes its own clocks, threads and environment; a stack its folder",
    ),
    *(
        Changed(
            "python",
            name,
            f"class({bases}, Exception, BaseException)",
            "the base of all errors can be imported, since a stack raises other kinds as well",
        )
        for name, bases in {
            "CacheCreationFailed": "CacheError, CtxprovError",
            "CacheError": "CtxprovError",
            "CacheExpired": "CacheError, CtxprovError",
            "CacheNotFound": "CacheError, CtxprovError",
            "Interrupted": "NetworkError, CacheError, CtxprovError",
            "InvalidCacheConfiguration": "CacheError, CtxprovError",
            "MissingKey": "InvalidCacheConfiguration, CacheError, CtxprovError",
            "NetworkError": "CacheError, CtxprovError",
            "ParseError": "CacheError, CtxprovError",
            "ProviderNotSupported": "CacheError, CtxprovError",
            "RequestRefused": "NetworkError, CacheError, CtxprovError",
        }.items()
    ),
)
"""Every difference from what is frozen, with its reason."""

ADDED = {
    **dict.fromkeys(
        ("Stack", "StackPlan", "StackDrift", "StackForecast", "ApplyResult", "KeepaliveResult"),
        "what the commands do can be called from Python",
    ),
    **dict.fromkeys(
        ("StackWarning", "Problem"), "a result holds warnings, and an error problems, as values"
    ),
    **dict.fromkeys(
        ("CtxprovError", "ManifestError", "PublishError", "Refused", "StateError", "StateLocked"),
        "a program that calls a stack handles what it raises",
    ),
}
"""Names that a program can import since, with the reason; the next release freezes them."""


def without(table: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The *table* of what can be imported, less *names* and their members."""
    rest = {key: value for key, value in table.items() if key.partition(".")[0] not in names}
    stub = (name for name in rest.get("stub", "").split(" ") if name not in names)
    return {**rest, "stub": " ".join(stub)}


@pytest.mark.parametrize("part", PARTS)
def test_surface(part: str) -> None:
    """The surface differs from what is frozen by the rows of `CHANGED`, and by nothing else."""
    expected = golden(part)
    for row in CHANGED:
        if row.part == part:
            assert expected.get(row.name) != row.now, f"a row without a difference: {row}"
            expected[row.name] = row.now
    expected = {name: value for name, value in expected.items() if value is not None}

    surface = PARTS[part]()
    assert (without(surface, ADDED) if part == "python" else surface) == expected


def test_added() -> None:
    """What a program can import since is there, is not frozen yet, and has its reason."""
    surface, frozen = PARTS["python"](), golden("python")

    assert [name for name in ADDED if name not in surface or name in frozen] == []
    assert all(why.strip() for why in ADDED.values())


def test_reasons() -> None:
    """Every row of `CHANGED` is of a part that exists, and says why."""
    assert [row for row in CHANGED if row.part not in PARTS or not row.why.strip()] == []
    assert len({row[:2] for row in CHANGED}) == len(CHANGED)
