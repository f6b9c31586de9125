"""What of a gemini entry cannot last is an error; what may surprise is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stacks import FLASH, complaints, resolved, stack

FILES = "uri: 'https://generativelanguage.googleapis.com/v1beta/files/abc', mime_type: video/mp4"
BUCKET = "uri: 'gs://bucket/a.mp4', mime_type: video/mp4"
LARGE = f"content: [{{text: '{'word ' * 4000}'}}]"


def warnings(root: Path, keys: str) -> list[str]:
    found = resolved(root, f"a: {{{keys}}}").warnings
    return [f"{problem.where}: {problem.message}" for problem in found]


def test_dying_file(tmp_path: Path) -> None:
    """An uploaded file cannot be kept warm, for it dies after 48 hours."""
    stack(tmp_path, f"a: {{{FLASH}, content: [{{{FILES}}}]}}")

    assert complaints(tmp_path, content=True) == [
        (
            "ctxprov.yaml:4:71: caches.a.content[0].uri: an uploaded file dies after 48 hours, so "
            "the cache cannot be kept warm: use gs://, a file, or keep: once"
        )
    ]


@pytest.mark.parametrize(
    "keys",
    [
        f"{FLASH}, keep: once",
        "provider: gemini, model: gemini-3.8-flash, expires_at: 2026-02-01T00:00:00Z",
    ],
)
def test_dying_file_once(tmp_path: Path, keys: str) -> None:
    """A cache that is not kept warm may be made of one."""
    assert not warnings(tmp_path, f"{keys}, content: [{{{FILES}}}]")


def test_address(tmp_path: Path) -> None:
    """An address whose content may change is warned of, until there is a revision."""
    assert warnings(tmp_path, f"{FLASH}, content: [{{{BUCKET}}}]") == [
        (
            "caches.a.content[0].uri: is known by its address alone: give a revision, and change "
            "it with the content"
        )
    ]
    assert not warnings(tmp_path, f"{FLASH}, revision: 1, content: [{{{BUCKET}}}]")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("7h", "is more than half of the ttl, 12h: 6h is used"),
        ("51%", "is more than half: 50% is used"),
    ],
)
def test_window(tmp_path: Path, window: str, message: str) -> None:
    """A window beyond half a life is cut, and that is said."""
    assert warnings(tmp_path, f"{FLASH}, refresh_before: {window}, {LARGE}") == [
        f"caches.a.refresh_before: {message}"
    ]


@pytest.mark.parametrize("window", ["6h", "50%", "1s"])
def test_honest_window(tmp_path: Path, window: str) -> None:
    """A window up to half a life is taken as it is."""
    assert not warnings(tmp_path, f"{FLASH}, refresh_before: {window}, {LARGE}")
