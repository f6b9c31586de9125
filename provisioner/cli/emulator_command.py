"""`ctxprov emulator`: the emulator as a server of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from provisioner.cli import clock, console
from provisioner.cli.clients import load_emulator
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError


@click.command("emulator")
@click.option(
    "--port", default=8085, show_default=True, help="Port on loopback; 0 takes a free one."
)
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    metavar="KEY",
    help="Accept this key only; repeatable. Without it any key will do.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep the caches in this SQLite file; by default they end with the program.",
)
def command(port: int, api_keys: tuple[str, ...], store: Path | None) -> Status:
    """
    Serve a local Gemini cachedContents API.

    Point any Gemini client at it; it behaves as the real one does, errors included, and
    sends nothing anywhere. Stop it with Ctrl-C.

    \b
    Examples:
      ctxprov emulator
      ctxprov emulator --port 9000 --api-key secret --store caches.sqlite3
      GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8085 GEMINI_API_KEY=any ctxprov list
    """
    emulation = load_emulator()
    try:
        app = emulation.Emulator(store or ":memory:", clock=clock.now, api_keys=api_keys)
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
