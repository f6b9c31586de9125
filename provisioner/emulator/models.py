"""The models this server knows, and what it enforces for each.

It decides names, limits and the smallest cache. The minima are those that callers have met, which
are lower than the documented ones for most models. It refuses to know prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from provisioner.emulator.errors import Refusal


class Model(Struct, frozen=True, kw_only=True):
    name: str
    """As in URLs and bodies: `models/ID`."""
    title: str
    min_cached_tokens: int
    caches: bool = True
    """Whether caches can be made for it; else it has implicit caching alone."""

    @property
    def methods(self) -> list[str]:
        explicit = ["createCachedContent"] if self.caches else []
        return ["generateContent", "countTokens", *explicit]

    def answer(self) -> dict[str, Any]:
        """The `Model` message."""
        return {
            "name": self.name,
            "version": "001",
            "displayName": self.title,
            "description": f"{self.title}, emulated: it counts, caches and never thinks.",
            "inputTokenLimit": MAX_INPUT_TOKENS,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": self.methods,
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
        }


MAX_INPUT_TOKENS: Final = 1_048_576

_CACHING: Final = {
    "gemini-3.8-flash": 1024,
    "gemini-3.7-flash": 1024,
    "gemini-3.6-flash": 1024,
    "gemini-3.5-flash": 1024,
    "gemini-3.5-flash-lite": 1024,
    "gemini-3.1-pro-preview": 4096,
    "gemini-3.1-flash-lite": 1024,
    "gemini-3-flash-preview": 1024,
    "gemini-2.5-pro": 2048,
    "gemini-2.5-flash": 1024,
    "gemini-2.5-flash-lite": 2048,
}
_IMPLICIT_ONLY: Final = ("gemini-4-argon", "gemini-robotics-er-2")


def _title(model: str) -> str:
    return model.replace("-", " ").title()


def _table() -> Mapping[str, Model]:
    models = [
        *(
            Model(name=f"models/{model}", title=_title(model), min_cached_tokens=minimum)
            for model, minimum in _CACHING.items()
        ),
        *(
            Model(name=f"models/{model}", title=_title(model), min_cached_tokens=0, caches=False)
            for model in _IMPLICIT_ONLY
        ),
    ]
    return MappingProxyType({model.name: model for model in models})


MODELS: Final = _table()
"""By full name, in the order of the list."""


def find_model(name: str, version: str, method: str) -> Model:
    """The model that the caller wants *method* of. Raises Refusal."""
    if not name:
        raise Refusal(400, "model is required")
    if "/" not in name:
        raise Refusal(400, f"* model: unexpected model name format: {name[:80]}\n")
    model = MODELS.get(name)
    if model is None or method not in model.methods:
        raise Refusal(
            404,
            f"{name[:80]} is not found for API version {version}, or is not supported for "
            f"{method}. Call ListModels to see the list of available models and their "
            "supported methods.",
        )
    return model
