"""
Published handles: written by an apply, read by running applications.

A re-created cache reaches its users through this file, without a deployment.
"""

from provisioner.handles.document import (
    Published,
    handles_bytes,
    handles_words,
    is_published,
    parse_handles,
    publish,
    reserved_for,
)
from provisioner.handles.reader import Handles

__all__ = [
    "Handles",
    "Published",
    "handles_bytes",
    "handles_words",
    "is_published",
    "parse_handles",
    "publish",
    "reserved_for",
]
