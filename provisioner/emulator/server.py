"""The emulator on a socket of this machine, until it is stopped.

It decides how uvicorn is run: silently, without a lifespan, and ending on a signal as a return
and not as a death. Port and life of the application are the caller's.

It decides as well who may speak to it, by the headers Host and Origin: programs of this machine,
by a name that only it can have. A page of a website whose name was made to lead here (DNS
rebinding), or that posts a form to this port, carries its own name in one of them.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://(.+)", re.ASCII | re.IGNORECASE)
_MISDIRECTED, _FORBIDDEN = 421, 403


async def serve(
    app: ASGIApp, *, port: int, on_ready: Callable[[str], None], host: str = "127.0.0.1"
) -> None:
    """Serve *app* to this machine until SIGINT, SIGTERM or cancellation.

    Port 0 takes a free one; *on_ready* gets the URL as soon as connections are accepted. Raises
    OSError when the address is taken and ImportError without uvicorn. A second signal does not
    wait for answers under way.
    """
    import uvicorn  # noqa: PLC0415  (an extra; and slow to import)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready(_url(listener))

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
            """Uvicorn would raise the signal once more after the last answer."""
            self.force_exit = self.should_exit
            self.should_exit = True

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        # asyncio leaves this out for sockets made elsewhere, and each answer would wait 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = Server(
            uvicorn.Config(
                LoopbackOnly(app),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",  # a page may open a WebSocket to anything; here it is a request
                date_header=False,  # the application has a clock of its own
                log_level="error",
            )
        )
        try:
            await server.serve([listener])
        except asyncio.CancelledError:
            await server.shutdown([listener])
            raise


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LoopbackOnly:
    """*app* for requests to a name of this machine; all others get 421 or 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def is_loopback(authority: str) -> bool:
    """Whether `HOST` or `HOST:PORT` is `localhost`, an address in 127.0.0.0/8, or `[::1]`."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return False
    host = match[1].lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refusal(headers: Headers) -> PlainTextResponse | None:
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or not is_loopback(hosts[0]):
        text = "This server answers to localhost, 127.0.0.1 and [::1] alone.\n"
        return PlainTextResponse(text, _MISDIRECTED)
    for origin in origins:
        match = _ORIGIN.fullmatch(origin)
        if match is None or not is_loopback(match[1]):
            return PlainTextResponse("This server answers no page of a website.\n", _FORBIDDEN)
    return None
