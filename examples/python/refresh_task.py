"""
A task of an orchestrator: bring the caches up to date after a job has rewritten their content.

`refresh_caches` is a plain function, as Airflow's `@task(retries=3)` or Dagster's `@op` wrap it: it
is idempotent, so a retry repeats nothing that is done, and it returns JSON for the tasks after it.
It raises if a cache is left undone, so that the orchestrator tries again; what was refused needs a
person, and a retry would be refused as well.

Run by itself it tries three times.  Without GEMINI_API_KEY it works in an emulator:
`python examples/python/refresh_task.py examples/support-bot`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

from provisioner import ApplyResult, CtxprovError, Refused, Stack, StackPlan

MOST_REPLACED = 3
TRIES, PAUSE = 3, timedelta(seconds=30)


def refresh_caches(stack: str) -> dict[str, Any]:
    """Apply what the policy approves.  Raises CtxprovError; all but Refused is worth a retry."""
    result = asyncio.run(_apply(stack))
    if result.has_failed:
        raise result.errors[0] if result.errors else CtxprovError(result.summary)
    return {
        "stack": result.document.stack,
        "serial": result.serial,
        "changed": [row.name for row in result.done],
        "cold": sorted(result.cold),
    }


async def _apply(stack: str) -> ApplyResult:
    trial = "GEMINI_API_KEY" not in os.environ
    wait = timedelta(minutes=5)  # for another run that holds the state
    async with Stack.load(stack, emulator=trial, lock_timeout=wait) as loaded:
        return await loaded.apply(approve=is_routine)


def is_routine(plan: StackPlan) -> bool:
    """What may happen without a person: new content for a few caches, and no removal."""
    return not plan.removals and len(plan.replacements) <= MOST_REPLACED


def main(stack: str) -> None:
    """What an orchestrator does around the task: retry, and pass the value on."""
    for attempt in range(1, TRIES + 1):
        try:
            print(json.dumps(refresh_caches(stack)))
        except Refused:
            raise  # a person has to look at the plan
        except CtxprovError as error:
            if attempt == TRIES:
                raise
            print(f"try {attempt} of {TRIES}: {error}", file=sys.stderr)
            time.sleep(PAUSE.total_seconds())
        else:
            return


if __name__ == "__main__":
    main(sys.argv[1])
