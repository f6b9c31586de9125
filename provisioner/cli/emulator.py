"""`ctxprov emulator`: the emulator as a server of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from provisioner import runtime
from provisioner.cli import console
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError
from provisioner.operations.clients import load_emulator


def serve_emulator(port: int, api_keys: tuple[str, ...], store: Path | None) -> Status:
    """Serve a local Gemini cachedContents API."""
    emulation = load_emulator()
    try:
        app = emulation.Emulator(store or ":memory:", clock=runtime.SYSTEM.now, api_keys=api_keys)
    except emulation.StoreUnusable as error:
        raise CtxprovError(f"{error}. Name another file, or move that one away.") from error
    try:
        asyncio.run(emulation.serve(app, port=port, on_ready=_ready))
    except OSError as error:
        raise CtxprovError(f"Port {port} cannot be served: {error.strerror}.") from error
    finally:
        app.close()
    return Status.OK


def _ready(url: str) -> None:
    console.say(f"Emulating Gemini at {url} (GOOGLE_GEMINI_BASE_URL={url}); Ctrl-C stops it.")
