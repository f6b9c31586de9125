"""The emulator on a socket of this machine, until it is stopped.

It decides how uvicorn is run: silently, without a lifespan, and ending on a signal as a return
and not as a death. Port and life of the application are the caller's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

from starlette.types import ASGIApp

from provisioner.emulator.loopback import LoopbackOnly


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
