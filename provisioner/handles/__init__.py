"""
Published handles: written by an apply, read by running applications.

A re-created cache reaches its users through this file, without a deployment.
"""

from provisioner.handles.document import (
    Published,
    handles_bytes,
    handles_words,
    is_published,
    is_reserved,
    parse_handles,
    publish,
)
from provisioner.handles.reader import Handles

__all__ = [
    "Handles",
    "Published",
    "handles_bytes",
    "handles_words",
    "is_published",
    "is_reserved",
    "parse_handles",
    "publish",
]
