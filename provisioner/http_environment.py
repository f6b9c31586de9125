"""
What in the environment keeps every HTTP client from being set up: certificates and proxies.

A variable that names what is gone (an image's, a nix shell's) fails requests to `http://` as
well, because the client reads it before it knows where to.  The variable is named with its
value and with what to do; a password in the address of a proxy is not shown.  Requests are
not known here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_PORTS = 65_535
_ENOUGH = 4 * 1024 * 1024
"""Bytes of a file of certificates in which the first must stand."""


def environment_fault(environ: Mapping[str, str]) -> str | None:
    """Name the first variable of *environ* that no client can work with; None if all are well."""
    return next(_faults(environ), None)


def _faults(environ: Mapping[str, str]) -> Iterator[str]:
    yield from _certificate_faults(environ)
    for name in _PROXIES:
        spelled = name if name in environ else name.upper()
        if text := environ.get(spelled):
            why = _proxy_fault(text)
            if why:
                yield f"{spelled}={_without_password(text)} {why}"
    spelled = "no_proxy" if "no_proxy" in environ else "NO_PROXY"
    for host in environ.get(spelled, "").split(","):
        if not _is_host(host.strip()):
            yield f"{spelled} holds {host.strip()!r}, which is no host: correct or unset it"


def _certificate_faults(environ: Mapping[str, str]) -> Iterator[str]:
    if path := environ.get("SSL_CERT_FILE"):
        if why := _file_fault(Path(path)):
            yield f"SSL_CERT_FILE={path} {why}: unset it, or let it name a file of certificates"
    elif (path := environ.get("SSL_CERT_DIR")) and not _holds_a_folder(path):
        yield (
            f"SSL_CERT_DIR={path} is no folder that exists: unset it, or let it name a folder of "
            "certificates"
        )


def _holds_a_folder(paths: str) -> bool:
    return any(map(os.path.isdir, paths.split(os.pathsep)))


def _file_fault(path: Path) -> str | None:
    try:
        if not path.is_file():
            return "is not a file" if path.exists() else "does not exist"
        with path.open("rb") as file:
            start = file.read(_ENOUGH)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if b"CERTIFICATE-----" in start else "holds no certificate (PEM)"


def _proxy_fault(text: str) -> str | None:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        return _NO_PROXY_ADDRESS
    if parts.scheme not in _SCHEMES:
        return "is a proxy of a kind that is not supported: use http://, https:// or socks5://"
    if not parts.hostname or not _is_name(parts.hostname) or (port or 0) > _PORTS:
        return _NO_PROXY_ADDRESS
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        return "needs the package socksio: pip install 'httpx[socks]', or unset it"
    return None


_NO_PROXY_ADDRESS = "is no address of a proxy: correct it (http://HOST:PORT) or unset it"


def _is_host(text: str) -> bool:
    """Whether an item of NO_PROXY can be read: a host, a domain, an address or nothing."""
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        return False
    return (port or 0) <= _PORTS and _is_name(parts.hostname or "")


def _is_name(host: str) -> bool:
    return not re.search(r"[\s\x00-\x20\x7f<>\"{}|\\^`]", host)


def _without_password(text: str) -> str:
    scheme, mark, rest = text.rpartition("://")
    return f"{scheme}{mark}{'***@' if '@' in rest else ''}{rest.rpartition('@')[2]}"
