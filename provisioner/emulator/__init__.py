"""A local twin of the `cachedContents` part of Google's Gemini Developer API.

Its wire code is written a second time on purpose: were it shared with the client, one misreading
would pass on both sides. Importing this package needs starlette, `serve` needs uvicorn too.
"""

from __future__ import annotations

from provisioner.emulator.app import Broken, CarryOut, Emulator, Faults
from provisioner.emulator.calls import Call, Operation
from provisioner.emulator.errors import Refusal
from provisioner.emulator.server import serve
from provisioner.emulator.store import StoreUnusable

__all__ = [
    "Broken",
    "Call",
    "CarryOut",
    "Emulator",
    "Faults",
    "Operation",
    "Refusal",
    "StoreUnusable",
    "serve",
]
