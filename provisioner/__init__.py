"""Infrastructure as code for LLM context caches."""

__version__ = "0.1.0"
