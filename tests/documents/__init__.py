"""
Documents that an earlier revision wrote, byte for byte, and what it answered about them.

`d28a563/` holds, for each kind of backend, what that revision left after two runs and one that
was killed while it held the lock: `plain` of `stacks/` in a folder, `small` elsewhere, `envs` with
two environments in a folder.  `answers.json` is what its own commands printed then,
`project.json` the caches that lived in its emulator, `digests.json` the digest of every cache
that its examples and these stacks declare.  `long.md`, which every stack names, is `LONG`.

Its fingerprints were of the edits of caches alone; `07983cc/` holds the plan that the last revision
before the modules moved made of the same edits.
"""

from __future__ import annotations

from pathlib import Path

ROOM = Path(__file__).parent / "d28a563"
LONG = "word " * 3400
