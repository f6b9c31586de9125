"""
The documents of the HTTP protocol for Terraform state: a state around a file, and a lock.

Servers that manage Terraform states look into them, and some take nothing else.  So a file
is kept as an output of a state in Terraform's own format (version 4) that has no resources.
Terraform can read it, too: `terraform output -raw ctxprov`.
"""

from __future__ import annotations

import base64
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import orjson

from provisioner import __version__
from provisioner.cache import Json
from provisioner.storage.lock_owner import (
    UNKNOWN_SINCE,
    LockOwner,
    lock_owner_bytes,
    parse_lock_owner,
)
from provisioner.times import moment_text, parse_moment

_TEXT = "ctxprov"
_BYTES = "ctxprov_base64"
_FORMAT = 4
_LONGEST = 256
_ERA = "1.0.0"
"""A Terraform of the format's generation: a newer one reads it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformState:
    """A file in a Terraform state."""

    content: bytes = field(repr=False)
    serial: int
    lineage: str

    @property
    def version(self) -> str:
        """Names this write; however the server may lay out the state."""
        return f"{self.lineage}/{self.serial}/{sha256(self.content).hexdigest()[:16]}"


def next_state(content: bytes, *, after: TerraformState | None) -> TerraformState:
    """Make the state that follows *after*."""
    if after is None:
        return TerraformState(content=content, serial=1, lineage=str(uuid.uuid4()))
    return TerraformState(content=content, serial=after.serial + 1, lineage=after.lineage)


def state_bytes(state: TerraformState) -> bytes:
    """Spell the state."""
    key, value = _output(state.content)
    document: dict[str, Json] = {
        "version": _FORMAT,
        "terraform_version": _ERA,
        "serial": state.serial,
        "lineage": state.lineage,
        "outputs": {key: {"value": value, "type": "string"}},
        "resources": [],
        "check_results": None,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _output(content: bytes) -> tuple[str, str]:
    try:
        return _TEXT, content.decode()
    except ValueError:
        return _BYTES, base64.b64encode(content).decode()


def _content(outputs: dict[object, object]) -> bytes | None:
    match outputs:
        case {"ctxprov": {"value": str(text)}}:
            return text.encode()
        case {"ctxprov_base64": {"value": str(text)}}:
            return base64.b64decode(text, validate=True)
        case _:
            return None


def parse_state(raw: bytes) -> TerraformState | None:
    """Read what `state_bytes` wrote; None if it is anything else."""
    try:
        match orjson.loads(raw):
            case {
                "version": 4,
                "serial": int(serial),
                "lineage": str(lineage),
                "outputs": dict(outputs),
                "resources": [],
            } if (content := _content(outputs)) is not None:
                return TerraformState(content=content, serial=serial, lineage=lineage)
            case _:
                return None
    except ValueError:
        return None


def lock_bytes(who: LockOwner, *, path: str) -> bytes:
    """Ask for a lock, or for the end of it, as Terraform does."""
    document: dict[str, Json] = {
        "ID": who.id,
        "Operation": who.operation,
        "Info": lock_owner_bytes(who).decode().strip(),
        "Who": who.who,
        "Version": f"ctxprov {__version__}",
        "Created": moment_text(who.since),
        "Path": path,
    }
    return orjson.dumps(document)


def parse_lock(raw: bytes) -> LockOwner:
    """Who holds a lock: a run of ours or of Terraform, as far as the server says."""
    fields = _fields(raw)
    lock_id, info = _text(fields, "ID"), fields.get("Info")
    run = parse_lock_owner(info.encode()) if isinstance(info, str) else None
    if run and run.id == lock_id:
        return run
    return LockOwner(
        id=lock_id,
        who=_text(fields, "Who") or "a run that the server does not name",
        pid=None,
        operation="" if run else _text(fields, "Operation"),  # GitLab repeats that of who asks
        since=_moment(_text(fields, "Created")),
    )


def _fields(raw: bytes) -> dict[object, object]:
    try:
        fields = orjson.loads(raw)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _text(fields: dict[object, object], key: str) -> str:
    text = fields.get(key)
    return text[:_LONGEST] if isinstance(text, str) else ""


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        return parse_moment(text)
    return UNKNOWN_SINCE
