"""Records that are published, and how."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from provisioner.cache import OpenAIHandle
from provisioner.handles import handles_bytes, publish
from provisioner.runtime import SYSTEM
from provisioner.storage.local import LocalBackend
from tests.builders import NOW, annotation, desired, noted, recorded, retiring, state

A = recorded(desired("a"))


NOTE = noted(annotation("n"))


OPENAI = noted(annotation("o", provider="openai", handle=OpenAIHandle("demo.o", {"ttl": "30m"})))


LEAVING = retiring(desired("a", "old"))


def held() -> bool:
    """The lock of the state is never lost."""
    return True


def written(path: Path, *records: object, now: datetime = NOW, **changes: object) -> None:
    document = handles_bytes(state(*records, **changes), hidden=(), now=now)  # type: ignore[arg-type]  # nouns
    publish(LocalBackend(path.parent, SYSTEM), path.name, document, is_ours=held)
