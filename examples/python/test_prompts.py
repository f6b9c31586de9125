"""
Fail the build if an edit of the prompts would replace more than one cache.

A cache is dear to make: an innocent edit of a text that many caches share replaces all of them.
Put this file beside your other tests and set STACK to the folder of your manifest.  `BASE` is the
branch that the edit will be merged into.

Comparing with a branch asks no provider and needs no key.  The second test compares with what is
recorded and alive; without a key it does so in an emulator, where nothing is recorded yet.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from provisioner import Stack, StackPlan

STACK = Path(os.environ.get("STACK", "examples/support-bot"))
BASE = os.environ.get("BASE", "origin/main")
IS_TRIAL = "GEMINI_API_KEY" not in os.environ
MOST_REPLACED = 1


def test_an_edit_replaces_one_cache_at_most() -> None:
    """Against the branch: what this edit would replace, and what that costs at once."""
    plan = asyncio.run(compared_with(BASE))

    names = sorted(row.name for row in plan.replacements)
    assert len(names) <= MOST_REPLACED, (
        f"this edit replaces {', '.join(names)} for about ${plan.totals.once.usd or 0:.4f}: "
        "split it, or raise MOST_REPLACED in a review"
    )


def test_apply_would_not_refuse() -> None:
    """Against the record: no limit is passed, and nothing is protected or foreign."""
    plan = asyncio.run(compared_with(None))

    assert not plan.is_refused, [row.why for row in plan.blocked] + [*map(str, plan.breaches)]


async def compared_with(base: str | None) -> StackPlan:
    """The plan against the merge base with *base*, or against the record."""
    async with Stack.load(STACK, emulator=IS_TRIAL and base is None) as stack:
        return await stack.plan(base=base)
