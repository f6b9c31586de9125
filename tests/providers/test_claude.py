"""Claude's markers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from provisioner.cache import ClaudeHandle, ContextCache, GeminiHandle
from provisioner.errors import InvalidCacheConfiguration, ProviderNotSupported
from provisioner.providers.claude import TTLS, ClaudeContextCache, handle_of
from tests.providers.contract import ContextCacheContract


class TestClaude(ContextCacheContract):
    foreign = GeminiHandle("cachedContents/abc")

    def cache(self) -> ContextCache:
        return ClaudeContextCache()


@pytest.mark.parametrize(
    ("ttl", "marker"),
    [
        (timedelta(seconds=1), "5m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=5, microseconds=1), "1h"),
        (timedelta(hours=1), "1h"),
    ],
)
def test_rounding_up(ttl: timedelta, marker: str) -> None:
    """A cache lives at least as long as asked."""
    assert handle_of(ttl).as_json() == {
        "provider": "claude",
        "cache_control": {"type": "ephemeral", "ttl": marker},
    }


def test_too_long() -> None:
    """A life that Claude cannot give is refused with the longest it can."""
    with pytest.raises(InvalidCacheConfiguration, match="1h at most"):
        handle_of(timedelta(hours=1, seconds=1))


def test_lives_on_offer() -> None:
    """Every life on offer is given exactly, and the provider's default comes first."""
    assert [handle_of(ttl).ttl for ttl in TTLS] == ["5m", "1h"]


def test_nothing_to_ask_for() -> None:
    """There is no Claude cache that could be asked for, and the error says whose."""
    handle = ClaudeHandle({"type": "ephemeral", "ttl": "5m"})

    with pytest.raises(ProviderNotSupported) as refused:
        asyncio.run(ClaudeContextCache().get_cache(handle))

    assert refused.value.provider == "claude"
