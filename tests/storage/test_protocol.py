"""What every backend promises."""

from __future__ import annotations

import pytest

from provisioner.storage.protocol import StoredFile, oversize


@pytest.mark.parametrize(
    ("size", "sentence"), [(1_234, "has 1,234 bytes"), (None, "has too many bytes")]
)
def test_a_file_beyond_the_limit(size: int | None, sentence: str) -> None:
    """A file too large is refused with its place, its size if that is known, and the limit."""
    assert str(oversize("s3://bucket/a.json", size, 1_000)).startswith(
        f"s3://bucket/a.json {sentence}, and at most 1,000 are read."
    )


def test_content_is_not_shown() -> None:
    """A file that was read shows its version alone."""
    assert "secret" not in repr(StoredFile(content=b"secret", version="1"))
