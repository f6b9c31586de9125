"""
Published handles: written by an apply, read by running applications.

A re-created cache reaches its users through this file, without a deployment.  The commands that
write it do not import `reader`, which programs do.
"""

from provisioner.handles.handles_file import (
    Published,
    handles_bytes,
    handles_fields,
    is_published,
    parse_handles,
    publish,
    reserved_for,
)

__all__ = [
    "Published",
    "handles_bytes",
    "handles_fields",
    "is_published",
    "parse_handles",
    "publish",
    "reserved_for",
]
