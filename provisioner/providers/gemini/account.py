"""
The endpoint and the key of an account, from arguments or from the environment.

Decides which variable wins, and refuses an address or a key that could not be sent as it
is, without echoing either.  Knows no request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from provisioner.errors import InvalidCacheConfiguration, MissingKey
from provisioner.http import Secret, normal_url

DEFAULT_URL: Final = "https://generativelanguage.googleapis.com"

_VERSION: Final = re.compile(r"v\d+(?:(?:alpha|beta)\d*)?", re.ASCII)
_KEY: Final = re.compile(r"[!-~]+", re.ASCII)


class Account(Struct, frozen=True, kw_only=True):
    """An endpoint, and the key to use there."""

    endpoint: str
    """Normalised, with the API version, without credentials and without a final slash."""
    key: str

    def __repr__(self) -> str:
        return f"Account(endpoint={self.endpoint!r})"

    @classmethod
    def find(
        cls,
        api_key: str | None,
        base_url: str | None,
        api_version: str,
        environment: Mapping[str, str],
    ) -> Self:
        """
        Take what is given, else what the environment says.

        `GOOGLE_API_KEY` wins over `GEMINI_API_KEY`.  Raises MissingKey if there is no key,
        InvalidCacheConfiguration for one that no header can carry or for a bad address.
        """
        url = base_url or environment.get("GOOGLE_GEMINI_BASE_URL") or DEFAULT_URL
        return cls(endpoint=_endpoint(url, api_version), key=_key(api_key, environment))

    @property
    def fingerprint(self) -> str:
        """What a key may be recognised by and not be variable out from."""
        return sha256(b"ctxprov key\0" + self.key.encode()).hexdigest()[:16]

    @property
    def secret(self) -> Secret:
        """What no text may hold."""
        return Secret(self.key, "[key]")


def _key(given: str | None, environment: Mapping[str, str]) -> str:
    variable = environment.get("GOOGLE_API_KEY") or environment.get("GEMINI_API_KEY")
    key = variable if given is None else given
    if not key:
        raise MissingKey(
            "there is no API key for Gemini: set GEMINI_API_KEY or GOOGLE_API_KEY, or pass api_key"
        )
    if not _KEY.fullmatch(key):
        raise InvalidCacheConfiguration(
            "the API key holds a space, a line end or a character outside ASCII;"
            " was it copied whole and alone?"
        )
    return key


def _endpoint(base_url: str, api_version: str) -> str:
    """A version at the end of *base_url* wins over *api_version*."""
    url = _bare_url(base_url)
    path, _, last = url.path.rstrip("/").rpartition("/")
    if not _VERSION.fullmatch(last):
        path, last = url.path.rstrip("/"), api_version
    if not _VERSION.fullmatch(last):
        raise InvalidCacheConfiguration("an API version looks like v1beta")
    return url._replace(path=f"{path}/{last}").geturl()


def _bare_url(base_url: str) -> SplitResult:
    try:
        url = urlsplit(normal_url(base_url))
    except ValueError:
        raise InvalidCacheConfiguration("the base URL is not a URL") from None
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise InvalidCacheConfiguration("the base URL has to start with https:// and a host")
    if "@" in url.netloc or url.query or url.fragment:
        raise InvalidCacheConfiguration(
            "the base URL is scheme, host and path: no user, no password, no ? and no #"
        )
    return url
