"""
The Gemini clients of one run: one for each key, and a LIST for each project.

Several stacks of one run share both.  A stack without Gemini entries opens no client and
needs no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Self

from provisioner.cache import CachedContext
from provisioner.errors import CtxprovError, MissingKey
from provisioner.http import AsyncTransport, application_transport
from provisioner.operations.session import Misuse, Ports
from provisioner.providers.gemini import GeminiContextCache

EMULATED = "http://emulator.invalid"


class Clients:
    """
    Opened by `async with`; everything it opened is closed at the end.

    *transport* replaces connections to the real endpoint.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        max_wait: timedelta,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._ports = ports
        self._transport = transport
        self._max_wait = max_wait
        self._stack = AsyncExitStack()
        self._clients: dict[tuple[Path | None, str | None], GeminiContextCache] = {}
        self._warned: set[str] = set()
        self._begun: set[asyncio.Task[None]] = set()
        self._lists: dict[GeminiContextCache, asyncio.Task[list[CachedContext]]] = {}

    async def client(self, store: Path | None, key_env: str | None) -> GeminiContextCache:
        """
        The client of the emulator whose file is *store*, or of the endpoint if that is None.

        The key is in the variable *key_env*, or where a key usually is.  Raises `MissingKey`
        with what to set, and Misuse if the emulator is not installed.
        """
        way = store, key_env
        if way not in self._clients:
            opened = self._emulated(store, key_env) if store else self._endpoint(key_env)
            self._clients[way] = await self._stack.enter_async_context(opened)
        return self._clients[way]

    def begin(self, ways: Iterable[tuple[Path | None, str | None]]) -> None:
        """Begin the LIST of each project; an error of one shows when its caches are read."""
        for store, key_env in ways:
            task = asyncio.ensure_future(self._begin(store, key_env))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _begin(self, store: Path | None, key_env: str | None) -> None:
        with suppress(CtxprovError, Misuse):
            await self.listed(await self.client(store, key_env))

    async def listed(self, client: GeminiContextCache) -> tuple[CachedContext, ...]:
        """What is live where *client* leads; asked once in a run."""
        if client not in self._lists:
            self._lists[client] = asyncio.ensure_future(client.list())
        return tuple(await asyncio.shield(self._lists[client]))

    def warn(self, of: str, warning: str) -> None:
        """Print a *warning* of one kind, what it is *of*, once in a run."""
        if of not in self._warned:
            self._warned.add(of)
            self._ports.console.warn(warning)

    def look_again(self) -> None:
        """Let the next LIST be a new one, after something was changed."""
        for listing in self._lists.values():
            listing.cancel()
        self._lists.clear()

    def _emulated(self, store: Path, key_env: str | None) -> GeminiContextCache:
        emulation = load_emulator()
        try:
            store.parent.mkdir(parents=True, exist_ok=True)
            emulator = emulation.Emulator(store, clock=self._ports.now)
        except (OSError, emulation.StoreUnusable) as error:
            raise CtxprovError(
                f"The emulator cannot keep its caches in {store}: {error}"
            ) from error
        self._stack.callback(emulator.close)
        transport = application_transport(emulator)
        return self._opened(key_env or "emulator", EMULATED, transport)

    def _endpoint(self, key_env: str | None) -> GeminiContextCache:
        key = self._ports.environ.get(key_env, "") if key_env else None
        try:
            return self._opened(key, None, self._transport)
        except MissingKey as error:
            variable = key_env or "GEMINI_API_KEY (or GOOGLE_API_KEY)"
            raise MissingKey(
                f"No API key: set {variable} to a key of the project whose caches these are, from "
                "https://aistudio.google.com/apikey. To try everything without a key, add "
                "--emulator."
            ) from error

    def _opened(
        self, key: str | None, base_url: str | None, transport: AsyncTransport | None
    ) -> GeminiContextCache:
        return GeminiContextCache(
            key,
            base_url,
            transport=transport,
            max_wait=self._max_wait,
            runtime=self._ports,
            environ=self._ports.environ,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        tasks = [*self._begun, *self._lists.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()


def load_emulator() -> ModuleType:
    """The emulator's package, which needs an extra."""
    try:
        return import_module("provisioner.emulator")
    except ImportError as error:
        raise Misuse(
            "The emulator needs two more packages: pip install 'ctxprov[emulator]'"
        ) from error
