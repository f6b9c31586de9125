"""
Arguments of the wrong type, named before they can do harm.

Decides the words: which argument, what it is, what came, and what was probably meant.  Values
are shown only where they hold no content and no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

_LONGEST = 40


def wrong_type(name: str, expected: str, got: object, *, instead: str = "") -> TypeError:
    """The error that says that *name* is *expected*, and what to write *instead*."""
    meant = f": {instead}?" if instead else ""
    return TypeError(f"{name} is {expected}; got {type(got).__name__}{meant}")


def check_text(name: str, text: object) -> None:
    """Raise TypeError unless *text* is a str."""
    if not isinstance(text, str):
        raise wrong_type(name, "a str", text)


def check_span(name: str, span: object) -> None:
    """Raise TypeError unless *span* is a timedelta."""
    match span:
        case timedelta():
            return
        case bool() | None:
            raise wrong_type(name, "a timedelta", span)
        case int() | float():
            raise TypeError(
                f"{name} is a timedelta; got {type(span).__name__} {span}:"
                f" timedelta(seconds={span})?"
            )
        case _:
            raise wrong_type(name, "a timedelta", span)


def check_moment(name: str, moment: object) -> None:
    """Raise TypeError unless *moment* is a datetime."""
    match moment:
        case datetime():
            return
        case str() if len(moment) <= _LONGEST:
            raise wrong_type(
                name, "an aware datetime", moment, instead=f"datetime.fromisoformat({moment!r})"
            )
        case timedelta():
            raise wrong_type(name, "an aware datetime", moment, instead="ttl=")
        case _:
            raise wrong_type(name, "an aware datetime", moment)


def check_sequence(name: str, sequence: object) -> None:
    """Raise TypeError unless *sequence* is one of several things, and no text."""
    if isinstance(sequence, str | bytes) or not isinstance(sequence, Sequence):
        raise wrong_type(name, "a sequence", sequence, instead="(…,)")


def check_mapping(name: str, mapping: object) -> None:
    """Raise TypeError unless *mapping* is a mapping."""
    if not isinstance(mapping, Mapping):
        raise wrong_type(name, "a mapping", mapping)
