"""
The documents of the HTTP protocol for Terraform state: a state around a file, and a lock.

Servers that manage Terraform states look into them, and some take nothing else.  So a file
is kept as an output of a state in Terraform's own format (version 4) that has no resources.
Terraform can read it, too: `terraform output -raw ctxprov`.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

import msgspec
import orjson
from msgspec import Struct

import provisioner
from provisioner.cache import Json
from provisioner.runtime import Runtime
from provisioner.storage.lock_owner import (
    UNKNOWN_SINCE,
    LockOwner,
    lock_owner_bytes,
    parse_lock_owner,
)
from provisioner.times import moment_text, parse_moment

_LONGEST = 256
_ERA = "1.0.0"
"""A Terraform of the format's generation: a newer one reads it, too."""


class TerraformOutput(Struct, frozen=True):
    """A value that Terraform shows."""

    value: str
    type: object = "string"


class TerraformOutputs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file: as text, or if it is none as base64."""

    ctxprov: TerraformOutput | None = None
    ctxprov_base64: TerraformOutput | None = None


class TerraformState(Struct, frozen=True, kw_only=True, rename={"format": "version"}):
    """A file in a Terraform state that has no resources."""

    format: Literal[4]
    terraform_version: object = _ERA
    serial: int
    lineage: str
    outputs: TerraformOutputs
    resources: tuple[()]
    check_results: object = None

    def __repr__(self) -> str:
        return f"TerraformState(serial={self.serial!r}, lineage={self.lineage!r})"

    @property
    def version(self) -> str:
        """Names this write; however the server may lay out the state."""
        return f"{self.lineage}/{self.serial}/{sha256(self.content()).hexdigest()[:16]}"

    def content(self) -> bytes:
        """Raises ValueError if there is no file in it."""
        match self.outputs:
            case TerraformOutputs(ctxprov=TerraformOutput(value=text)):
                return text.encode()
            case TerraformOutputs(ctxprov_base64=TerraformOutput(value=text)):
                return base64.b64decode(text, validate=True)
            case _:
                raise ValueError("this holds nothing that ctxprov has written")


_STATE = msgspec.json.Decoder(TerraformState)


def next_state(content: bytes, *, after: TerraformState | None, runtime: Runtime) -> TerraformState:
    """Make the state that follows *after*."""
    return TerraformState(
        format=4,
        serial=after.serial + 1 if after else 1,
        lineage=after.lineage if after else str(UUID(hex=runtime.token(16), version=4)),
        outputs=_outputs(content),
        resources=(),
    )


def _outputs(content: bytes) -> TerraformOutputs:
    try:
        return TerraformOutputs(ctxprov=TerraformOutput(content.decode()))
    except ValueError:
        text = base64.b64encode(content).decode()
        return TerraformOutputs(ctxprov_base64=TerraformOutput(text))


def state_bytes(state: TerraformState) -> bytes:
    """Spell the state."""
    return msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n"


def parse_state(raw: bytes) -> TerraformState | None:
    """Read what `state_bytes` wrote; None if it is anything else."""
    try:
        state = _STATE.decode(raw)
        state.content()
    except (ValueError, RecursionError):
        return None
    return state


def lock_bytes(who: LockOwner, *, path: str) -> bytes:
    """Ask for a lock, or for the end of it, as Terraform does."""
    document: dict[str, Json] = {
        "ID": who.id,
        "Operation": who.operation,
        "Info": lock_owner_bytes(who).decode().strip(),
        "Who": who.who,
        "Version": f"ctxprov {provisioner.__version__}",
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
