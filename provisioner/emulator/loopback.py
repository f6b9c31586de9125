"""Who may speak to the server: programs of this machine, by a name that only it can mean.

It decides by the headers Host and Origin. A page of some website whose name was made to lead here
(DNS rebinding), or that posts a form to this port, carries its own name in one of them.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://(.+)", re.ASCII | re.IGNORECASE)
_MISDIRECTED, _FORBIDDEN = 421, 403


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
