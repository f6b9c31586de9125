"""
Answer a question about the product manual through its cache.

Run `ctxprov emulator --store caches.sqlite3` or set a real key, apply `support-bot`, then:
`python examples/app.py state/support-bot.handles.json "How do I descale it?"`
"""

from __future__ import annotations

import sys
from pathlib import Path

from google import genai
from google.genai.types import GenerateContentConfig

from provisioner import GeminiHandle, Handles

MANUAL = Path(__file__).parent / "support-bot" / "content" / "product-manual.md"


def answer(client: genai.Client, handles: Handles, question: str) -> str:
    """Ask with the cache while it is warm, else with the manual itself."""
    config: GenerateContentConfig | None = None
    contents = [MANUAL.read_text(encoding="utf-8"), question]
    match handles.get("product-manual"):
        case GeminiHandle(cache_name):
            config, contents = GenerateContentConfig(cached_content=cache_name), [question]
        case _:
            pass  # cold: the manual goes along with the question
    reply = client.models.generate_content(
        model="gemini-3.8-flash", contents=contents, config=config
    )
    return reply.text or ""


if __name__ == "__main__":
    print(answer(genai.Client(), Handles(Path(sys.argv[1])), sys.argv[2]))
