"""Explicit context caches of the Gemini Developer API: client, requests, pace, lost answers."""

from provisioner.providers.gemini.client import DEFAULT_MODEL, GeminiContextCache

__all__ = ["DEFAULT_MODEL", "GeminiContextCache"]
