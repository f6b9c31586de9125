"""
The process's environment, as everything of ours reads it.

A variable that is set to nothing counts as unset: CI sets those that a job does not have to the
empty text.  Git's own variables stay as they are, since to git an empty one is a choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType


def process_environment() -> Mapping[str, str]:
    """Read the variables that are set now, without those that are empty."""
    return MappingProxyType(set_in(os.environ))


def set_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what *environ* sets to more than nothing, and git's own variables."""
    return {key: text for key, text in environ.items() if text or key.startswith("GIT_")}
