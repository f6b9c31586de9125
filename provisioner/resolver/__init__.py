"""
Manifest and files of content, resolved into what should exist.

Decides digests, labels, handles of annotations and estimates of tokens, and finds what is
wrong with files, models and lives.  It keeps no content, asks no provider, reads no state
and never looks at a clock: its caller passes *now*.
"""

from provisioner.resolver.content import content_reader, read_content
from provisioner.resolver.resolve import Resolution, load_and_resolve, resolve

__all__ = ["Resolution", "content_reader", "load_and_resolve", "read_content", "resolve"]
