from provisioner.cache import (
    CacheContent,
    CachedContext,
    CacheHandle,
    ClaudeHandle,
    ContextCache,
    GeminiHandle,
    InlinePart,
    OpenAIHandle,
    Part,
    TextPart,
    UriPart,
    handle_from_json,
)
from provisioner.errors import (
    CacheCreationFailed,
    CacheError,
    CacheExpired,
    CacheNotFound,
    Interrupted,
    InvalidCacheConfiguration,
    MissingKey,
    NetworkError,
    ParseError,
    ProviderNotSupported,
    RequestRefused,
)
from provisioner.handles.reader import Handles
from provisioner.providers.annotations import ClaudeContextCache, OpenAIContextCache
from provisioner.providers.gemini import GeminiContextCache

__all__ = [
    "CacheContent",
    "CacheCreationFailed",
    "CacheError",
    "CacheExpired",
    "CacheHandle",
    "CacheNotFound",
    "CachedContext",
    "ClaudeContextCache",
    "ClaudeHandle",
    "ContextCache",
    "GeminiContextCache",
    "GeminiHandle",
    "Handles",
    "InlinePart",
    "Interrupted",
    "InvalidCacheConfiguration",
    "MissingKey",
    "NetworkError",
    "OpenAIContextCache",
    "OpenAIHandle",
    "ParseError",
    "Part",
    "ProviderNotSupported",
    "RequestRefused",
    "TextPart",
    "UriPart",
    "__version__",
    "handle_from_json",
]

__version__: str
