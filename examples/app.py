"""
Answer a question about the product manual through its cache.

Run `ctxprov emulator --store caches.sqlite3` or set a real key, apply `support-bot`, then:
`python examples/app.py state/support-bot.handles.json "How do I descale it?"`
"""

from __future__ import annotations

import sys
from pathlib import Path

from google import genai
from google.genai.types import GenerateContentConfig, HttpOptions

from provisioner import GeminiHandle, Handles

CONTENT = Path(__file__).parent / "support-bot" / "content"
CACHES = HttpOptions(api_version="v1beta")  # the version of the API that is known to have caches


def answer(client: genai.Client, handles: Handles, question: str) -> str:
    """Ask with the cache while it is warm, else with all that it holds."""
    match handles.get("product-manual"):
        case GeminiHandle(cache_name):
            config = GenerateContentConfig(cached_content=cache_name)
            contents = [question]
        case _:  # cold: the same prompt, sent in full
            config = GenerateContentConfig(system_instruction=_text("system.md"))
            contents = [_text("product-manual.md"), question]
    reply = client.models.generate_content(
        model="gemini-3.8-flash", contents=contents, config=config
    )
    return reply.text or ""


def _text(name: str) -> str:
    return (CONTENT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    with genai.Client(http_options=CACHES) as client:
        print(answer(client, Handles(Path(sys.argv[1])), sys.argv[2]))
