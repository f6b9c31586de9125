"""
Arguments of the wrong type or beyond their bounds, named before they can do harm.

Decides the text: which argument, what it is, what came, and what was probably meant.  Values
are shown only where they hold no content and no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from provisioner.times import HORIZON, duration_text

_LONGEST = 40


def wrong_type(name: str, expected: str, got: object, *, instead: str = "") -> TypeError:
    """The error that says that *name* is *expected*, and what to write *instead*."""
    meant = f": {instead}?" if instead else ""
    return TypeError(f"{name} is {expected}; got {type(got).__name__}{meant}")


def check_text(name: str, text: object) -> None:
    """Raise TypeError unless *text* is a str."""
    if not isinstance(text, str):
        raise wrong_type(name, "a str", text)


def check_given(name: str, text: object) -> None:
    """Raise TypeError or ValueError unless *text* is absent, or a text that is not empty."""
    if text is None:
        return
    check_text(name, text)
    if not text:
        raise ValueError(f"{name} is empty: leave it out, or say what you mean.")


def check_flag(name: str, flag: object) -> None:
    """Raise TypeError unless *flag* is a bool: the text "false" would count as true."""
    if not isinstance(flag, bool):
        raise wrong_type(name, "a bool", flag)


def check_number(name: str, number: object, *, at_least: int, at_most: int | None = None) -> None:
    """Raise TypeError unless *number* is an int, and ValueError if it is beyond its bounds."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise wrong_type(name, "an int", number)
    if number < at_least or (at_most is not None and number > at_most):
        end = "on" if at_most is None else f"to {at_most}"
        raise ValueError(f"{name} is {number}: give a number from {at_least} {end}.")


def check_bounded_span(name: str, span: object, *, at_least: timedelta = timedelta()) -> None:
    """Raise TypeError unless *span* is a timedelta, ValueError if it is beyond its bounds."""
    check_span(name, span)
    if isinstance(span, timedelta) and not at_least <= span <= HORIZON:
        raise ValueError(
            f"{name} is {span}: give a timedelta from {duration_text(at_least)} to "
            f"{duration_text(HORIZON)}."
        )


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


def check_environ(name: str, environ: object) -> None:
    """Raise TypeError unless *environ* maps texts to texts; its values are not shown."""
    check_mapping(name, environ)
    if isinstance(environ, Mapping):
        for key, text in environ.items():
            if not (isinstance(key, str) and isinstance(text, str)):
                kinds = f"{key!r} to {type(text).__name__}"
                raise TypeError(f"{name} maps names of variables to str; it has {kinds}")


def names_of(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """*names* as a tuple.  Raises TypeError unless it is a sequence of texts."""
    check_sequence(name, names)
    for text in names:
        check_text(f"each of {name}", text)
    return tuple(names)
