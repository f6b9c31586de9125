"""The three tenses of one cache agree on what they have in common."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from provisioner.cache import CachedContext, ClaudeHandle, GeminiHandle
from provisioner.model.attributes import Label, Measure, Settings, Ttl
from provisioner.model.records import (
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)
from tests.builders import NOW

HOUR = timedelta(hours=1)
DIGEST = "0123456789abcdef" * 4
WANT = DesiredCache(
    name="faq",
    provider="gemini",
    model="gemini-3.8-flash",
    digest=DIGEST,
    life=Ttl(2 * HOUR),
    settings=Settings(retire_after=3 * HOUR),
    label=Label("demo", "faq", DIGEST[:16]),
    measure=Measure(paths=("faq.md",), size=9, tokens=3),
)
REPORT = CachedContext(
    handle=GeminiHandle("cachedContents/a"),
    model="gemini-3.8-flash",
    display_name=str(WANT.label),
    created_at=NOW,
    updated_at=NOW + HOUR,
    expires_at=NOW + 3 * HOUR,
    token_count=7,
)
LIVE = LiveCache.of("gemini", REPORT)


def test_live() -> None:
    """A live cache is what its provider reports, with the label in its display name."""
    assert (LIVE.id, LIVE.label, LIVE.tokens) == ("cachedContents/a", WANT.label, 7)
    assert LIVE.granted == 2 * HOUR
    assert LiveCache.of("gemini", REPORT).handle.expires_at == NOW + 3 * HOUR


def test_recorded_cache() -> None:
    """A record of a cache asks for what its entry does, and has the provider's own count."""
    record = RecordedCache.of(WANT, LIVE, counted=True)

    assert record.after == WANT.after
    assert record.measure == replace(WANT.measure, tokens=7, counted=True)
    assert (record.retire_after, record.handle.expires_at) == (3 * HOUR, NOW + 3 * HOUR)


def test_recorded_annotation() -> None:
    """A record of an annotation asks for what its entry does, which has no settings."""
    want = DesiredAnnotation(
        name="policy",
        provider="claude",
        model="claude-sonnet-5-5",
        digest=DIGEST,
        life=Ttl(HOUR),
        handle=ClaudeHandle({"type": "ephemeral", "ttl": "1h"}),
        measure=Measure(),
    )
    record = RecordedAnnotation.of(want, NOW)

    assert record.after == want.after
    assert record.after.settings is None
    assert (record.kind, record.handle, record.updated_at) == ("claude", want.handle, NOW)


def test_as_if_live() -> None:
    """A record stands for the live cache that it describes, without a label."""
    record = RecordedCache.of(WANT, LIVE, counted=True)

    assert LiveCache.recorded(record) == replace(LIVE, label=None)


def test_retiring_as_if_live() -> None:
    """A retiring cache stands for a live one that its retirement wrote last."""
    retiring = RetiringCache(
        name="faq",
        provider="gemini",
        model="gemini-3.8-flash",
        id="cachedContents/a",
        retire_after=HOUR,
        until=NOW + HOUR,
    )
    live = LiveCache.retiring(retiring)

    assert (live.updated_at, live.expires_at, live.granted) == (NOW, NOW + HOUR, HOUR)
    assert (live.label, live.tokens) == (None, 0)
