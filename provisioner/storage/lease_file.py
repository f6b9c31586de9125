"""
What stands in the file of a lease: who holds it, or that it is free and whose word that is.

Its owner's word is enough.  A lock that somebody else ended may belong to a run that lives and
does not know, so whoever takes it takes it over.
"""

from __future__ import annotations

from datetime import datetime

import orjson

from provisioner.documents import utf8
from provisioner.times import moment_text


def lock_name(name: str) -> str:
    """The file that guards *name*."""
    return f"{name.removesuffix('.json')}.lock.json"


def free_bytes(lock_id: str, moment: datetime, *, ended: bool) -> bytes:
    """The lock *lock_id* is held no longer; *ended* if a run may still believe that it is."""
    words = {"free": True, "ended": ended, "id": lock_id, "since": moment_text(moment)}
    return orjson.dumps(words, option=orjson.OPT_APPEND_NEWLINE)


def is_free(content: bytes) -> bool:
    match _words(content):
        case {"free": True}:
            return True
        case _:
            return False


def was_let_go(content: bytes) -> bool:
    """Whether it is free by the word of its own owner."""
    match _words(content):
        case {"free": True, "ended": True}:
            return False
        case {"free": True}:
            return True
        case _:
            return False


def _words(content: bytes) -> object:
    try:
        return orjson.loads(utf8(content))
    except ValueError:
        return None
