"""
A stack that works, to be changed into one's own.

Decides which files it has and what is in them; a file that is there already is left as it is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from provisioner.errors import CtxprovError, Refused
from provisioner.escape import plain
from provisioner.files import schema_bytes, write_whole
from provisioner.operations.session import Ports
from provisioner.render.reference import manifest_page

_SCHEMA = ".ctxprov/manifest.schema.json"
_CONTENT = "content/manifest.md"
_MANIFEST = """\
# yaml-language-server: $schema={schema}
#
# The caches of one stack. After an edit: ctxprov plan, then ctxprov apply.
version: 1

# The namespace of these caches. Two checkouts with the same stack in one Gemini project
# share its caches, hence the random end.
stack: {stack}

# Where the state is: what was made, and when it ends. By default the folder `state` here; CI, whose
# machines vanish, needs a place that stays, such as a branch of this repository.
# state: git+branch:ctxprov-state

# Running applications read the handles from here (provisioner.Handles, or as any JSON).
publish: handles.json

defaults:
  gemini:
    model: gemini-3.8-flash
    ttl: 12h              # how long a cache lives after it was made or refreshed
    refresh_before: 4h    # refreshed when it has no longer than this to live
    retire_after: 1h      # a replaced cache lives on so long for clients that still use it
  claude:
    model: claude-sonnet-5-5
    ttl: 1h

caches:
  manifest-reference:
    provider: gemini
    content: {content}   # a path, or a list of parts
    # system_instruction: content/system.md
    # protect: true       # refuse to remove it

  # An annotation: a request fragment, computed and published, sent nowhere.
  # refund-policy:
  #   provider: claude
  #   content: content/refund-policy.md
"""
_IGNORE = """\
# What ctxprov keeps here and git should not: locks, what git remembers by itself, trials,
# and what a run could not save.
# The state itself is small and secret-free and may live in git.
state/*.lock
state/*.history/
state/emulator/
*.unsaved.json
"""


def init_stack(ports: Ports, folder: Path, stack: str | None) -> None:
    """
    Write a small stack into *folder*, named *stack* or after the folder, and report each file.

    Raises Refused if there is a manifest already, CtxprovError if a file cannot be written.
    """
    manifest = folder / "ctxprov.yaml"
    if manifest.exists():
        raise Refused(f"{manifest} exists already; nothing was written.")
    name = stack or _name(folder.resolve().name, ports)
    schema = schema_bytes("manifest")
    files = {
        folder / _SCHEMA: schema,
        folder / _CONTENT: _content(schema),
        folder / ".gitignore": _IGNORE.encode(),
        manifest: _MANIFEST.format(schema=_SCHEMA, stack=name, content=_CONTENT).encode(),
    }
    for path, content in files.items():
        _write(ports, path, content)


def _write(ports: Ports, path: Path, content: bytes) -> None:
    if path.exists():
        ports.console.report(f"left as it is: {plain(str(path))}")
        return
    try:
        write_whole(path, content, ports)
    except OSError as error:
        raise CtxprovError(f"{path} cannot be written: {error.strerror}.") from error
    ports.console.report(f"wrote {plain(str(path))}")


def _content(schema: bytes) -> bytes:
    """The manifest's reference, large enough for a cache, and good to ask questions about."""
    page = manifest_page(json.loads(schema))
    return f"{page}\n## The JSON Schema\n\n```json\n{schema.decode()}```\n".encode()


def _name(folder: str, ports: Ports) -> str:
    """The folder's name as a stack's, with a random end."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:25].strip("-")
    return f"{slug or 'stack'}-{ports.token(3)}"
