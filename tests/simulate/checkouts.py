"""
The folders of a world's checkouts, on the disk of the test: the one thing that is not simulated.

A manifest and the texts that it names, written whole at each edit.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.simulate.log import DeclaredEntry
from tests.simulate.scenario import Checkout, Sheet

MODEL = "gemini-3.8-flash"


class Folder:
    """One checkout: what it declares now, and where it stands."""

    def __init__(self, path: Path, checkout: Checkout) -> None:
        self.path = path
        self.checkout = checkout
        self.sheet = Sheet(entries={})
        (path / "content").mkdir(parents=True)

    def write(self, sheet: Sheet) -> None:
        """Declare *sheet* from now on."""
        before, self.sheet = self.sheet, sheet
        for name, entry in sheet.entries.items():
            if before.entries.get(name) != entry:
                (self.path / "content" / f"{name}.md").write_text(entry.content)
        # YAML reads JSON.
        (self.path / "ctxprov.yaml").write_text(json.dumps(self._manifest(), indent=1))

    def declared(self, environment: str | None) -> dict[str, DeclaredEntry]:
        """What is declared for *environment*, as the checker reads it."""
        return {
            name: DeclaredEntry(
                content=entry.content,
                model=MODEL,
                ttl=entry.ttl,
                retire_after=entry.retire_after,
            )
            for name, entry in self.sheet.entries_of(environment).items()
        }

    def _manifest(self) -> dict[str, object]:
        sheet, checkout = self.sheet, self.checkout
        manifest: dict[str, object] = {
            "version": 1,
            "stack": checkout.stack,
            "publish": f"s3://published/{checkout.stack}/{sheet.handles}",
            "defaults": {"gemini": {"model": MODEL}},
            "caches": {
                name: {
                    "provider": "gemini",
                    "ttl": f"{int(entry.ttl)}s",
                    "retire_after": f"{int(entry.retire_after)}s",
                    "content": f"content/{name}.md",
                }
                for name, entry in sheet.entries.items()
            },
        }
        if not checkout.address:
            manifest["state"] = checkout.state
        if sheet.moved:
            manifest["moved"] = [{"from": old, "to": new} for old, new in sheet.moved]
        if checkout.environments:
            manifest["environments"] = {
                environment: {
                    "caches": {
                        name: {"ttl": f"{int(ttl)}s"}
                        for name, ttl in sheet.overlays.get(environment, {}).items()
                    }
                }
                for environment in checkout.environments
            }
        return manifest
