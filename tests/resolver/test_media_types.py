"""What a file is depends on its name alone, and estimates on its size."""

from __future__ import annotations

import pytest

from provisioner.resolver.media_types import (
    PDF,
    media_tokens,
    mime_type_of,
    pages_in,
    takes,
    text_tokens,
)


@pytest.mark.parametrize(
    ("path", "mime_type"),
    [
        ("a.pdf", PDF),
        ("a/b.c/d.PDF", PDF),
        ("a.jpeg", "image/jpeg"),
        ("a.mp3", "audio/mp3"),
        ("a.mp4", "video/mp4"),
        ("a.md", None),
        ("a.py", None),
        ("README", None),
        ("a.unheard-of", None),
    ],
)
def test_types(path: str, mime_type: str | None) -> None:
    """The table knows what is not text; everything else has to be text."""
    assert mime_type_of(path) == mime_type


def test_providers() -> None:
    """Claude hears nothing, openai watches nothing, and gemini decides by itself."""
    assert [takes(whose, "audio/mp3") for whose in ("gemini", "claude", "openai")] == [
        True,
        False,
        True,
    ]
    assert not takes("openai", "video/mp4")
    assert takes("claude", PDF)


def test_estimates() -> None:
    """Tokens are estimated by characters, pictures, pages and seconds."""
    assert text_tokens(0) == 0
    assert text_tokens(5) == 2
    assert media_tokens("image/png", 10_000_000, 0) == 258
    assert media_tokens(PDF, 10_000_000, 3) == 3 * 258
    assert media_tokens(PDF, 10_000_000, 0) == 200 * 258
    assert media_tokens("audio/mp3", 16_000 * 60, 0) == 60 * 32
    assert media_tokens("audio/wav", 176_400 * 60, 0) == 60 * 32
    assert media_tokens("video/mp4", 250_000 * 60, 0) == 60 * 300
    assert media_tokens("application/json", 400, 0) == 100


def test_pages() -> None:
    """A page of a PDF is counted, the tree of pages is not."""
    assert pages_in(b"<</Type /Pages /Kids []>> <</Type/Page /x 1>> <</Type /Page>>") == 2
