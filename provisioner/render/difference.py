"""
Two sides of a change, attribute by attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from provisioner.model import After
from provisioner.model.attributes import life_fields, settings_fields
from provisioner.render.summary import SHORT
from provisioner.times import moment_text
from provisioner.view.snapshot import Side
from provisioner.view.wording import word

_Attributes: TypeAlias = Mapping[str, str | Sequence[str]]


class Difference(Struct, frozen=True):
    """One attribute; None is where it is missing.  Its texts are foreign."""

    where: str
    before: str | None
    after: str | None


def differences(before: Side | None, after: Side) -> tuple[Difference, ...]:
    """What of *before* is different in *after*; all of it if there was nothing before."""
    new = _attributes(after)
    if before is None:
        return tuple(Difference(key, None, _text(value)) for key, value in new.items())
    return _between(_attributes(before), new)


def edit_differences(before: After, after: After) -> tuple[Difference, ...]:
    """What one wish for a cache says that the other does not."""
    return _between(_wish(before), _wish(after))


def _between(old: _Attributes, new: _Attributes) -> tuple[Difference, ...]:
    from deepdiff import DeepDiff  # noqa: PLC0415  # a tenth of a second, for those who ask

    order = {key: at for at, key in enumerate([*new, *old])}
    found = [
        (level.path(output_format="list"), kind, level.t1, level.t2)
        for kind, levels in DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0).items()
        for level in levels
    ]
    found.sort(key=lambda one: (order[one[0][0]], one[0][1:]))
    return tuple(
        Difference(
            where=_where(path),
            before=None if kind.endswith("_added") else _text(one),
            after=None if kind.endswith("_removed") else _text(other),
        )
        for path, kind, one, other in found
    )


def _attributes(side: Side) -> _Attributes:
    """What is known of *side*, spelled as in a manifest."""
    life = life_fields(side.life) if side.life else {}
    settings = settings_fields(side.settings) if side.settings else {}
    end = moment_text(side.expires_at.replace(microsecond=0)) if side.expires_at else None
    known: dict[str, str | Sequence[str] | None] = {
        "provider": side.provider,
        "model": side.model,
        "digest": side.digest and side.digest[:SHORT],
        **{key: word(value) for key, value in {**life, **settings}.items()},
        "paths": side.paths,
        **side.pieces,
        "lives until": end,
    }
    return {key: value for key, value in known.items() if value}


def _wish(after: After) -> _Attributes:
    settings = settings_fields(after.settings) if after.settings else {}
    return {
        "provider": after.provider,
        "model": after.model,
        "digest": after.digest[:SHORT],
        **{key: word(value) for key, value in {**life_fields(after.life), **settings}.items()},
    }


def _where(path: Sequence[str | int]) -> str:
    return str(path[0]) + "".join(f"[{step}]" for step in path[1:])


def _text(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
