"""Explicit context caches of the Gemini Developer API: the one room that knows HTTP."""

from provisioner.providers.gemini.client import DEFAULT_MODEL, GeminiContextCache

__all__ = ["DEFAULT_MODEL", "GeminiContextCache"]
