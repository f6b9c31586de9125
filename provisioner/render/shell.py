"""Handles as variables for a shell, quoted so that nothing in them can act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from shlex import quote

from provisioner.cache import CacheHandle, ClaudeHandle, GeminiHandle, OpenAIHandle
from provisioner.escape import plain


def env_lines(name: str, model: str, handle: CacheHandle) -> str:
    """`export CTXPROV_NAME_FIELD=value`, a line for each thing a request needs."""
    prefix = "CTXPROV_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    values = {"PROVIDER": _provider(handle), "MODEL": model, **_fields(handle)}
    lines = (f"export {prefix}_{key}={quote(plain(value))}" for key, value in values.items())
    return "\n".join(lines) + "\n"


def _provider(handle: CacheHandle) -> str:
    return str(handle.as_json()["provider"])


def _fields(handle: CacheHandle) -> Mapping[str, str]:
    match handle:
        case GeminiHandle(cache_name):
            return {"CACHE_NAME": cache_name}
        case ClaudeHandle():
            return {"CACHE_TTL": handle.ttl}
        case OpenAIHandle(key, options, retention):
            life = {"TTL": options["ttl"]} if options else {"RETENTION": retention or ""}
            fields = {"KEY": key or "", **life}
            return {f"PROMPT_CACHE_{field}": value for field, value in fields.items() if value}
