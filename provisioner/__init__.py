"""
Infrastructure as code for LLM context caches.

`Stack` plans, applies and keeps alive the caches of a manifest; below it is the context cache API:
what a program imports to make, find, keep and use caches.
Names are resolved when they are first asked for, so that importing the package costs
nothing; their types stand beside, in `__init__.pyi`.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_CACHE = "provisioner.cache"
_ERRORS = "provisioner.errors"
_RESULTS = "provisioner.stack.results"
_HOMES = {
    "ApplyResult": _RESULTS,
    "CacheContent": _CACHE,
    "CacheCreationFailed": _ERRORS,
    "CacheError": _ERRORS,
    "CacheExpired": _ERRORS,
    "CacheHandle": _CACHE,
    "CacheNotFound": _ERRORS,
    "CachedContext": _CACHE,
    "ClaudeContextCache": "provisioner.providers.annotations",
    "ClaudeHandle": _CACHE,
    "ContextCache": _CACHE,
    "CtxprovError": _ERRORS,
    "GeminiContextCache": "provisioner.providers.gemini",
    "GeminiHandle": _CACHE,
    "Handles": "provisioner.handles.reader",
    "InlinePart": _CACHE,
    "Interrupted": _ERRORS,
    "InvalidCacheConfiguration": _ERRORS,
    "KeepaliveResult": _RESULTS,
    "ManifestError": _ERRORS,
    "MissingKey": _ERRORS,
    "NetworkError": _ERRORS,
    "OpenAIContextCache": "provisioner.providers.annotations",
    "OpenAIHandle": _CACHE,
    "ParseError": _ERRORS,
    "Part": _CACHE,
    "Problem": _ERRORS,
    "ProviderNotSupported": _ERRORS,
    "PublishError": _ERRORS,
    "Refused": _ERRORS,
    "RequestRefused": _ERRORS,
    "Stack": "provisioner.stack",
    "StackDrift": _RESULTS,
    "StackForecast": _RESULTS,
    "StackPlan": _RESULTS,
    "StackWarning": _RESULTS,
    "StateError": _ERRORS,
    "StateLocked": _ERRORS,
    "TextPart": _CACHE,
    "UriPart": _CACHE,
    "handle_from_json": _CACHE,
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
