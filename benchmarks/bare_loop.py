"""
The least that making caches can cost with httpx: eight tasks post a body for each file.

`python -m benchmarks.bare_loop FOLDER MODEL`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

AT_ONCE = 8


async def post_all(files: Iterator[Path], model: str) -> None:
    url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/cachedContents"
    headers = {"x-goog-api-key": "bench", "content-type": "application/json"}
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120) as client:

        async def serve() -> None:
            for file in files:
                answer = await client.post(url, content=_body(file, model))
                answer.raise_for_status()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(serve())


def _body(file: Path, model: str) -> bytes:
    body = {
        "displayName": f"ctxprov:bench/{file.stem}@0123456789abcdef",
        "ttl": "43200s",
        "model": f"models/{model}",
        "contents": [{"role": "user", "parts": [{"text": file.read_text()}]}],
    }
    return json.dumps(body, ensure_ascii=False).encode()


if __name__ == "__main__":
    asyncio.run(post_all(iter(sorted(Path(sys.argv[1]).iterdir())), sys.argv[2]))
