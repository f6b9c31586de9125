"""Annotations live as long as their provider offers, and no other time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from provisioner.model import Ttl
from tests.stacks import HEAD, complaints, resolved, stack, write

X = "content: [{text: x}]"


@pytest.mark.parametrize(
    ("keys", "ttl"),
    [
        ("provider: claude, model: claude-opus-5", timedelta(minutes=5)),
        ("provider: claude, model: claude-opus-5, ttl: 300s", timedelta(minutes=5)),
        ("provider: claude, model: claude-opus-5, ttl: 1h", timedelta(hours=1)),
        ("provider: openai, model: gpt-6.1-terra", timedelta(minutes=30)),
        ("provider: openai, model: gpt-6.1-terra, ttl: 12h", timedelta(hours=12)),
        ("provider: openai, model: gpt-5.5", timedelta(hours=24)),
        ("provider: openai, model: gpt-5.4", timedelta(hours=24)),
        ("provider: openai, model: gpt-5.4, ttl: 1h", timedelta(hours=1)),
    ],
)
def test_lives(tmp_path: Path, keys: str, ttl: timedelta) -> None:
    """A life on offer is taken; without one the provider's default holds."""
    (want,) = resolved(tmp_path, f"a: {{{keys}, {X}}}").desired

    assert want.life == Ttl(ttl)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            "provider: claude, model: claude-opus-5, ttl: 30m",
            "must be 5m or 1h for claude, not 30m",
        ),
        (
            "provider: openai, model: gpt-6.1-sol, ttl: 1h",
            "must be 30m or 12h for gpt-6.1-sol, not 1h",
        ),
        ("provider: openai, model: gpt-6-sol, ttl: 12h", "must be 30m for gpt-6-sol, not 12h"),
        ("provider: openai, model: gpt-5.5, ttl: 1h", "must be 1d for gpt-5.5, not 1h"),
    ],
)
def test_other_lives(tmp_path: Path, keys: str, message: str) -> None:
    """A life that is not on offer is an error at its line."""
    stack(tmp_path, f"a: {{{keys}, {X}}}")

    (found,) = complaints(tmp_path, content=True)

    assert found.endswith(f"caches.a.ttl: {message}")


def test_default_life(tmp_path: Path) -> None:
    """A default that the provider does not offer is one error where the default stands."""
    text = (
        f"{HEAD}defaults: {{claude: {{model: claude-opus-5, ttl: 6h}}}}\ncaches:\n"
        f"  a: {{provider: claude, {X}}}\n  b: {{provider: claude, {X}}}\n"
    )

    assert complaints(write(tmp_path, text), content=True) == [
        "ctxprov.yaml:3:43: defaults.claude.ttl: must be 5m or 1h for claude, not 6h (2 caches)"
    ]
