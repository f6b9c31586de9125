"""
The manifest: YAML files in git, read into what they mean.

This package reports everything that is wrong with a manifest, at once and each with its place;
the resolver adds what is wrong with files, models and lives.  Past this
package nothing is YAML, a dict or optional because a key was left out.

`reader` knows YAML, `schema_check` the JSON Schema, `overlays` what wins over what,
`entry_builder` and `entry_parser` what the keys of a cache mean, `stack` which files belong
together and what they say of the whole.
"""

from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.entry_builder import USUAL_CACHES, at_most
from provisioner.manifest.source_map import MAX_DEPTH, Place, shown
from provisioner.manifest.stack import (
    ManifestDraft,
    environments_of,
    load_frame,
    load_manifest,
    read_manifest,
    stack_at,
    stack_in,
)
from provisioner.manifest.types import (
    DEFAULT_STATE,
    AnnotationEntry,
    CacheEntry,
    Entry,
    FileSpec,
    Frame,
    InlineJson,
    Manifest,
    PartSpec,
    TextSpec,
    UriSpec,
)

__all__ = [
    "DEFAULT_STATE",
    "MAX_DEPTH",
    "USUAL_CACHES",
    "AnnotationEntry",
    "CacheEntry",
    "Entry",
    "FileSpec",
    "Folder",
    "Frame",
    "InlineJson",
    "Manifest",
    "ManifestDraft",
    "PartSpec",
    "Place",
    "TextSpec",
    "Unreadable",
    "UriSpec",
    "at_most",
    "environments_of",
    "load_frame",
    "load_manifest",
    "read_manifest",
    "shown",
    "stack_at",
    "stack_in",
]
