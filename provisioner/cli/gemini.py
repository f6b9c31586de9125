"""
The way to Gemini: the real endpoint, or an emulator inside this program.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click
import httpx

from provisioner.cli.clock import now
from provisioner.errors import CtxprovError, MissingKey
from provisioner.providers.gemini import GeminiContextCache

EMULATED = "http://emulator.invalid"


@asynccontextmanager
async def connect(store: Path | None) -> AsyncIterator[GeminiContextCache]:
    """
    Open the way to Gemini; *store* is the file of the emulator, None the real endpoint.

    Raises `MissingKey` with what to set, and a usage error if the emulator is not installed.
    """
    if store is None:
        async with _endpoint() as gemini:
            yield gemini
        return
    emulation = load_emulator()
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        emulator = emulation.Emulator(store, clock=now)
    except (OSError, emulation.StoreUnusable) as error:
        raise CtxprovError(f"The emulator cannot keep its caches in {store}: {error}") from error
    transport = httpx.ASGITransport(app=emulator)
    try:
        async with GeminiContextCache("emulator", EMULATED, transport=transport) as gemini:
            yield gemini
    finally:
        emulator.close()


def load_emulator() -> ModuleType:
    """The emulator's package, which needs an extra."""
    try:
        return import_module("provisioner.emulator")
    except ImportError as error:
        raise click.UsageError(
            "The emulator needs two more packages: pip install 'ctxprov[emulator]'"
        ) from error


def _endpoint() -> GeminiContextCache:
    try:
        return GeminiContextCache()
    except MissingKey as error:
        raise MissingKey(
            "No API key: set GEMINI_API_KEY (or GOOGLE_API_KEY) to a key of the project whose "
            "caches these are, from https://aistudio.google.com/apikey. To try everything "
            "without a key, add --emulator."
        ) from error
