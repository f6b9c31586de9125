"""
What a document of ctxprov says, as outputs of a step of GitHub Actions: `name=value` lines.

Run by action.yml with the paths of a plan, or of a result, in JSON and in Markdown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def outputs(document: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401  # JSON
    """Name and value of each; of several stacks together, and then without a fingerprint."""
    stacks = document.get("stacks", [document])
    changes = [change for stack in stacks for change in stack.get("changes", ())]
    pending = sum(change["pending"] for change in changes)
    done = sum(stack["summary"].get("done", 0) for stack in stacks)
    moments = [stack["valid_until"] for stack in stacks if stack.get("valid_until")]
    yield "changes", "true" if pending + done else "false"
    yield "pending", pending
    yield "edits", sum(len(stack.get("edits", ())) for stack in stacks)
    yield "fingerprint", stacks[0]["fingerprint"] if len(stacks) == 1 else ""
    yield "valid-until", min(moments, default="")


def main(json_path: str, markdown_path: str) -> None:
    document = json.loads(Path(json_path).read_bytes())
    for name, value in (*outputs(document), ("json", json_path), ("markdown", markdown_path)):
        print(f"{name}={value}")


if __name__ == "__main__":
    main(*sys.argv[1:])
