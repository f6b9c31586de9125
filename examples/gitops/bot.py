"""
A program that follows its handle: which cache would the counter's bot use right now?

`python bot.py handles.json` asks once; a server keeps one `Handles` for as long as it runs.
"""

from __future__ import annotations

import sys

from provisioner import GeminiHandle, Handles


def way(handles: Handles) -> str:
    """How the next question is sent."""
    match handles.get("counter"):
        case GeminiHandle(cache_name):
            return f"warm: the question goes with cached_content={cache_name}"
        case _:
            return "cold: the handbook goes along with the question"


if __name__ == "__main__":
    print(way(Handles(sys.argv[1])))
