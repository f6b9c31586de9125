"""
What a document of ctxprov says, as outputs of a step of GitHub Actions: `name=value` lines.

Run by action.yml with the paths of a plan, or of a result, in JSON and in Markdown.  The names
are ours and come first on their lines, so a value can neither open a block of lines nor, as it
has no line break, begin an output of its own.
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
    yield "edits", sum(len(stack.get(key, ())) for stack in stacks for key in ("edits", "settings"))
    yield "fingerprint", stacks[0]["fingerprint"] if len(stacks) == 1 else ""
    yield "valid-until", min(moments, default="")


def line(name: str, value: object) -> str:
    """Raises ValueError for a value that is more than text on one line."""
    text = str(value)
    if not text.isprintable():
        raise ValueError(f"the output {name} would be {text!r}")
    return f"{name}={text}\n"


def main(json_path: str, markdown_path: str) -> None:
    document = json.loads(Path(json_path).read_bytes())
    pairs = (*outputs(document), ("json", json_path), ("markdown", markdown_path))
    sys.stdout.write("".join([line(name, value) for name, value in pairs]))


if __name__ == "__main__":
    main(*sys.argv[1:])
