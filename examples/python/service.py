"""
A web service that keeps its caches warm in the background, and answers with their handles.

A schedule beside the service does the same; this is for a service that has none.  One keepalive
every ten minutes refreshes what is about to expire.  Edits stay with a review: `ctxprov apply`
makes them, and the service sees the new handles within a second.

Without GEMINI_API_KEY the caches are in an emulator:
`STACK=examples/support-bot python examples/python/service.py`
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from provisioner import CtxprovError, GeminiHandle, Stack

STACK = os.environ.get("STACK", "examples/support-bot")
IS_TRIAL = "GEMINI_API_KEY" not in os.environ
EVERY = timedelta(minutes=10)
PROMPTS = {
    name: Path(STACK, "content", f"{name}.md").read_text(encoding="utf-8")
    for name in ("faq", "product-manual")
}

log = logging.getLogger("service")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep the caches warm for as long as the service lives."""
    async with Stack.load(STACK, emulator=IS_TRIAL) as stack:
        app.state.stack = stack
        if IS_TRIAL:  # in a deployment the pipeline applies
            await stack.apply(approve=lambda plan: not plan.removals)
        warming = asyncio.create_task(keep_warm(stack))
        try:
            yield
        finally:
            warming.cancel()  # a run that is under way finishes its calls, and saves
            with suppress(asyncio.CancelledError):
                await warming


async def keep_warm(stack: Stack) -> None:
    """Refresh what is about to expire, again and again; a failure waits for the next time."""
    while True:
        try:
            result = await stack.keepalive()
        except CtxprovError as error:  # the provider, the state or its lock
            log.warning("%s is not kept warm: %s", stack.name, error)
        else:
            log.info("%s is warm until %s", stack.name, result.covered_until)
            for sentence in result.left:  # what waits for a review
                log.warning("%s: %s", stack.name, sentence)
        await asyncio.sleep(EVERY.total_seconds())


async def ask(request: Request) -> JSONResponse:
    """Say what would be sent to the model for the question `?q=`."""
    name, question = request.path_params["name"], request.query_params.get("q", "")
    if name not in PROMPTS:
        return JSONResponse({"error": f"no prompt {name}: ask for {', '.join(PROMPTS)}"}, 404)
    stack: Stack = request.app.state.stack
    match await stack.handles.aget(name):
        case GeminiHandle(cache_name):
            return JSONResponse({"cached_content": cache_name, "contents": [question]})
        case _:  # cold: the same prompt, sent in full
            return JSONResponse({"contents": [PROMPTS[name], question]})


app = Starlette(routes=[Route("/{name}", ask)], lifespan=lifespan)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), ws="none")
