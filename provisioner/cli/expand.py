"""Which stacks an argument names."""

from __future__ import annotations

from collections.abc import Iterable
from glob import glob
from pathlib import Path

import click


def expanded(stacks: Iterable[Path]) -> tuple[Path, ...]:
    """Folders as given, and what a pattern that the shell left alone stands for."""
    found: list[Path] = []
    for stack in stacks:
        if stack.exists() or not any(char in str(stack) for char in "*?["):
            found.append(stack)
            continue
        matches = [Path(name) for name in sorted(glob(str(stack)))]  # noqa: PTH207  # as typed
        folders = [one for one in matches if (one / "ctxprov.yaml").is_file() or one.is_file()]
        if not folders:
            raise click.UsageError(f"{stack} matches no folder with a ctxprov.yaml.")
        found += folders
    return tuple(dict.fromkeys(found)) or (Path(),)
