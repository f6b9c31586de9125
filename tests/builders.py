"""Builders: a valid noun of every tense, of which a test names only what matters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from provisioner.cache import ClaudeHandle
from provisioner.model.attributes import Label, Life, Measure, Settings, Ttl, Until
from provisioner.model.facts import State
from provisioner.model.records import (
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)

STACK = "demo"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLASH = "gemini-3.8-flash"
SONNET = "claude-sonnet-5-5"


def desired(
    name: str = "a",
    content: str = "x",
    *,
    model: str = FLASH,
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> DesiredCache:
    """A Gemini cache; its digest and label follow from *content* and *model*."""
    digest = digest_of("gemini", model, content)
    cache = DesiredCache(
        name=name,
        provider="gemini",
        model=model,
        digest=digest,
        life=Ttl(6 * HOUR),
        settings=Settings(refresh_before=HOUR, retire_after=HOUR),
        label=Label(STACK, name, digest[:16]),
        measure=_measure(name, content),
    )
    return replace(cache, **changes)


def annotation(
    name: str = "a",
    content: str = "x",
    *,
    model: str = SONNET,
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> DesiredAnnotation:
    """A Claude entry; its digest follows from *content* and *model*."""
    entry = DesiredAnnotation(
        name=name,
        provider="claude",
        model=model,
        digest=digest_of("claude", model, content),
        life=Ttl(HOUR),
        handle=ClaudeHandle({"type": "ephemeral", "ttl": "1h"}),
        measure=_measure(name, content),
    )
    return replace(entry, **changes)


def live(
    of: DesiredCache | None = None,
    id: str = "cachedContents/1",  # noqa: A002  # it is the field's name
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> LiveCache:
    """What the provider reports after *of* was made at NOW."""
    want = of or desired()
    cache = LiveCache(
        provider=want.provider,
        id=id,
        label=want.label,
        model=want.model,
        created_at=NOW,
        updated_at=NOW,
        expires_at=_end(want.life),
        tokens=want.measure.tokens,
    )
    return replace(cache, **changes)


def recorded(
    of: DesiredCache | None = None,
    id: str = "cachedContents/1",  # noqa: A002  # it is the field's name
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> RecordedCache:
    """What is on record after *of* was made at NOW."""
    want = of or desired()
    record = RecordedCache.of(want, live(want, id), counted=True)
    return replace(record, **changes)


def noted(
    of: DesiredAnnotation | None = None,
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> RecordedAnnotation:
    """What is on record after *of* was written down at NOW."""
    want = of or annotation()
    record = RecordedAnnotation.of(want, NOW)
    return replace(record, **changes)


def retiring(
    of: DesiredCache | None = None,
    id: str = "cachedContents/old",  # noqa: A002  # it is the field's name
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> RetiringCache:
    """A cache of *of* whose expiry the applier moved to an hour after NOW."""
    want = of or desired()
    cache = RetiringCache(
        name=want.name,
        provider=want.provider,
        model=want.model,
        id=id,
        retire_after=want.settings.retire_after,
        until=NOW + HOUR,
        expires_at=NOW + HOUR,
    )
    return replace(cache, **changes)


def state(
    *records: Recorded,
    retiring: Iterable[RetiringCache] = (),
    **changes: Any,  # noqa: ANN401  # whatever field a test is about
) -> State:
    """A state that holds exactly these."""
    remembered = State(
        stack=STACK,
        caches={record.name: record for record in records},
        retiring={cache.id: cache for cache in retiring},
    )
    return replace(remembered, **changes)


def digest_of(provider: str, model: str, content: str) -> str:
    return sha256(f"{provider}/{model}/{content}".encode()).hexdigest()


def _measure(name: str, content: str) -> Measure:
    size = len(content.encode())
    return Measure(paths=(f"content/{name}.md",), size=size, tokens=max(1, size // 4))


def _end(life: Life) -> datetime:
    match life:
        case Ttl(span):
            return NOW + span
        case Until(moment):
            return moment
