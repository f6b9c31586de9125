"""Handles as variables of a shell, which a real shell reads back."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import CacheHandle, ClaudeHandle, GeminiHandle, OpenAIHandle
from provisioner.escape import plain
from provisioner.render.shell import env_lines

CLAUDE = ClaudeHandle({"type": "ephemeral", "ttl": "1h"})


def read(lines: str, name: str) -> str:
    """What a shell that sources *lines* has in the variable *name*."""
    script = f'{lines}printf %s "${{{name}}}"'
    return subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(
    ("handle", "fields"),
    [
        (
            GeminiHandle("cachedContents/a"),
            {"PROVIDER": "gemini", "MODEL": "m", "CACHE_NAME": "cachedContents/a"},
        ),
        (CLAUDE, {"PROVIDER": "claude", "MODEL": "m", "CACHE_TTL": "1h"}),
        (
            OpenAIHandle("key", {"ttl": "30m"}, None),
            {
                "PROVIDER": "openai",
                "MODEL": "m",
                "PROMPT_CACHE_KEY": "key",
                "PROMPT_CACHE_TTL": "30m",
            },
        ),
        (
            OpenAIHandle(None, None, "24h"),
            {"PROVIDER": "openai", "MODEL": "m", "PROMPT_CACHE_RETENTION": "24h"},
        ),
    ],
)
def test_fields(handle: CacheHandle, fields: dict[str, str]) -> None:
    """Each field that a request needs is a line, under the name of the cache in capitals."""
    lines = env_lines("old-faq", "m", handle).splitlines()

    assert dict(line.removeprefix("export CTXPROV_OLD_FAQ_").split("=") for line in lines) == fields


VISIBLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
    lambda text: plain(text) == text
)
"""What is invisible, or a command to a CI runner, is spelled as a number."""


@given(VISIBLE)
def test_a_model_with_any_name_is_inert(model: str) -> None:
    """A shell reads a hostile model back as it is, and runs nothing of it."""
    lines = env_lines("a", f"$(exit 3)`exit 4`'\";{model}", CLAUDE)

    assert read(lines, "CTXPROV_A_MODEL") == f"$(exit 3)`exit 4`'\";{model}"
