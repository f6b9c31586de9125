"""
The ways to Gemini of one run: a client for each key, and a LIST for each project.

Several stacks of one run share both.  A stack that has nothing to do with Gemini opens no
way and needs no key.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

import click
import httpx

from provisioner.cache import CachedContext
from provisioner.cli.clock import now
from provisioner.cli.speech import tell
from provisioner.environment import process_environment
from provisioner.errors import CtxprovError, MissingKey
from provisioner.providers.gemini import GeminiContextCache

EMULATED = "http://emulator.invalid"


class Reach:
    """Opened by `async with`; everything it opened is closed at the end."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._clients: dict[tuple[Path | None, str | None], GeminiContextCache] = {}
        self._warned: set[str] = set()
        self._lists: dict[GeminiContextCache, tuple[CachedContext, ...]] = {}

    async def client(self, store: Path | None, key_env: str | None) -> GeminiContextCache:
        """
        The way to the emulator whose file is *store*, or to the endpoint if that is None.

        The key is in the variable *key_env*, or where a key usually is.  Raises `MissingKey`
        with what to set, and a usage error if the emulator is not installed.
        """
        way = store, key_env
        if way not in self._clients:
            opened = self._emulated(store, key_env) if store else _endpoint(key_env)
            self._clients[way] = await self._stack.enter_async_context(opened)
        return self._clients[way]

    async def listed(self, client: GeminiContextCache) -> tuple[CachedContext, ...]:
        """What is live where *client* leads; asked once in a run."""
        if client not in self._lists:
            self._lists[client] = tuple(await client.list())
        return self._lists[client]

    def warn(self, of: str, warning: str) -> None:
        """Print a *warning* of one kind, what it is *of*, once in a run."""
        if of not in self._warned:
            self._warned.add(of)
            tell(f"warning: {warning}")

    def look_again(self) -> None:
        """Let the next LIST be a new one, after something was changed."""
        self._lists.clear()

    def _emulated(self, store: Path, key_env: str | None) -> GeminiContextCache:
        emulation = load_emulator()
        try:
            store.parent.mkdir(parents=True, exist_ok=True)
            emulator = emulation.Emulator(store, clock=now)
        except (OSError, emulation.StoreUnusable) as error:
            raise CtxprovError(
                f"The emulator cannot keep its caches in {store}: {error}"
            ) from error
        self._stack.callback(emulator.close)
        transport = httpx.ASGITransport(app=emulator)
        return GeminiContextCache(key_env or "emulator", EMULATED, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


def load_emulator() -> ModuleType:
    """The emulator's package, which needs an extra."""
    try:
        return import_module("provisioner.emulator")
    except ImportError as error:
        raise click.UsageError(
            "The emulator needs two more packages: pip install 'ctxprov[emulator]'"
        ) from error


def _endpoint(key_env: str | None) -> GeminiContextCache:
    try:
        return GeminiContextCache(process_environment().get(key_env, "") if key_env else None)
    except MissingKey as error:
        variable = key_env or "GEMINI_API_KEY (or GOOGLE_API_KEY)"
        raise MissingKey(
            f"No API key: set {variable} to a key of the project whose caches these are, from "
            "https://aistudio.google.com/apikey. To try everything without a key, add --emulator."
        ) from error
