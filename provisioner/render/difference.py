"""
What differs: two sides of a change, an edit and its approval, and the files of two revisions.

Sides and edits differ attribute by attribute.  Files differ as unified diffs, the one place
where content is shown: a file that moved is one patch from its old path to its new one, whole
or with edits, and an equal file is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from provisioner.documents import document_fields
from provisioner.errors import clipped
from provisioner.escape import plain
from provisioner.model.changes import Tone
from provisioner.render.layout import Palette
from provisioner.render.summary import SHORT
from provisioner.times import moment_text
from provisioner.view.snapshot import AfterView, Snapshot
from provisioner.view.wording import value_text

_Attributes: TypeAlias = Mapping[str, str | Sequence[str]]
_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "@": "quiet"}
_MOST = 400
"""Lines of one file; a longer difference is cut, with a count."""
_LINES = 20_000
"""Of a file with more lines no difference is worked out: that takes the square of their number."""
_LONGEST = 2_000
"""Characters of one line; the content of a request may be a single line of any length."""
_ALIKE = 0.5
"""Files that share so much of their lines are one file under two names, as git has it."""
_PAIRS = 10_000
"""Of so many pairs of an old and a new file the likeness is worked out; of more, none."""


class Difference(Struct, frozen=True):
    """One attribute; None is where it is missing.  Its texts are foreign."""

    where: str
    before: str | None
    after: str | None


def differences(before: Snapshot | None, after: Snapshot) -> tuple[Difference, ...]:
    """What of *before* is different in *after*; all of it if there was nothing before."""
    new = _attributes(after)
    if before is None:
        return tuple(Difference(key, None, _text(value)) for key, value in new.items())
    return _between(_attributes(before), new)


def edit_differences(before: AfterView, after: AfterView) -> tuple[Difference, ...]:
    """What one wish for a cache says that the other does not."""
    return _between(_wish(before), _wish(after))


def _between(old: _Attributes, new: _Attributes) -> tuple[Difference, ...]:
    from deepdiff import DeepDiff  # noqa: PLC0415  # a tenth of a second, for those who ask

    order = {key: at for at, key in enumerate([*new, *old])}
    differing = [
        (level.path(output_format="list"), kind, level.t1, level.t2)
        for kind, levels in DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0).items()
        for level in levels
    ]
    differing.sort(key=lambda one: (order[one[0][0]], one[0][1:]))
    return tuple(
        Difference(
            where=str(path[0]) + "".join(f"[{step}]" for step in path[1:]),
            before=None if kind.endswith("_added") else _text(one),
            after=None if kind.endswith("_removed") else _text(other),
        )
        for path, kind, one, other in differing
    )


def _attributes(side: Snapshot) -> _Attributes:
    """What is known of *side*, spelled as in a manifest."""
    end = moment_text(side.expires_at.replace(microsecond=0)) if side.expires_at else None
    paths = {"paths": side.paths} if side.paths else {}
    return {**_wish(side), **paths, **side.pieces, **({"lives until": end} if end else {})}


def _wish(side: Snapshot | AfterView) -> Mapping[str, str]:
    """What of *side* an entry asks for."""
    identity = {"provider": side.provider, "model": side.model}
    if side.digest:
        identity["digest"] = side.digest[:SHORT]
    parts = [document_fields(part) for part in (side.life, side.settings) if part]
    terms = {key: value_text(value) for part in parts for key, value in part.items()}
    return {**identity, **terms}


def _text(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def objection_lines(
    objections: Iterable[tuple[str, AfterView | None, AfterView | None]],
    settings: Iterable[str] = (),
) -> Iterator[str]:
    """A line for each name with its approved and its present *after*, and for what differs."""
    for name, approved, wanted in objections:
        if approved is None or wanted is None or approved == wanted:
            yield f"  {plain(name)}: is not among the approved edits"
            continue
        yield f"  {plain(name)}: is not as it was approved"
        for one in edit_differences(approved, wanted):
            yield plain(f"    {one.where}: {one.before or 'none'} → {one.after or 'none'}")
    for key in settings:
        yield f"  setting {plain(key)}: is not among the approved edits"


class Patch(Struct, frozen=True):
    """A file before and after; None is where there is no such file."""

    old: str | None
    new: str | None
    before: bytes = b""
    after: bytes = b""

    def __repr__(self) -> str:
        return f"Patch(old={self.old!r}, new={self.new!r})"


def patches(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[Patch]:
    """The files of which *before* and *after*, contents by path, differ, in their order."""
    olds = _renames(
        {path: before[path] for path in before if path not in after},
        {path: after[path] for path in after if path not in before},
    )
    gone = set(olds.values())
    for path in dict.fromkeys((*before, *after)):
        if path in after:
            old = path if path in before else olds.get(path)
            if old != path or before[path] != after[path]:
                yield Patch(old, path, before[old] if old else b"", after[path])
        elif path not in gone:
            yield Patch(path, None, before[path])


def patch_text(patch: Patch, *, colour: bool) -> str:
    """What *patch* changes, with a line for a new name."""
    palette = Palette(colour)
    moved = patch.old and patch.new and patch.old != patch.new
    lines = [palette.paint(plain(f"renamed: {patch.old} → {patch.new}"), "strong")] if moved else []
    return "\n".join([*lines, *_lines(patch, palette)]) + "\n"


def _lines(patch: Patch, palette: Palette) -> Iterator[str]:
    if patch.old and patch.new and patch.before == patch.after:
        return
    path = plain(patch.new or patch.old or "")
    try:
        old, new = (side.decode().splitlines() for side in (patch.before, patch.after))
    except UnicodeDecodeError:
        yield f"{path}: {len(patch.before)} → {len(patch.after)} bytes, not text"
        return
    if max(len(old), len(new)) > _LINES:
        yield f"{path}: {len(old):,} → {len(new):,} lines, too many to compare"
        return
    from difflib import unified_diff  # noqa: PLC0415  # for those who ask for patches

    names = (patch.old or "/dev/null", patch.new or "/dev/null")
    lines = list(unified_diff(old, new, *names, lineterm="", n=2))
    for line in lines[:_MOST]:
        yield palette.paint(plain(clipped(line, _LONGEST)), _TONES.get(line[:1]))
    if len(lines) > _MOST:
        yield f"… and {len(lines) - _MOST:,} more lines."


def _renames(gone: Mapping[str, bytes], new: Mapping[str, bytes]) -> Mapping[str, str]:
    """The old path of each new one that has one: equal bytes first, then the most alike."""
    olds: dict[str, str] = {}
    by_content = {content: path for path, content in gone.items() if content}
    for path, content in new.items():
        if old := by_content.pop(content, None):
            olds[path] = old
    left = {path: _by_line(gone[path]) for path in gone if path not in olds.values()}
    added = {path: _by_line(new[path]) for path in new if path not in olds}
    if len(left) * len(added) > _PAIRS:
        return olds
    for path, lines in added.items():
        share, old = max(((_likeness(left[one], lines), one) for one in left), default=(0.0, ""))
        if share >= _ALIKE:
            olds[path] = old
            del left[old]
    return olds


def _by_line(content: bytes) -> Counter[bytes]:
    """How many bytes each line has in all, with its end."""
    bytes_by_line: Counter[bytes] = Counter()
    for line in content.splitlines(keepends=True):
        bytes_by_line[line] += len(line)
    return bytes_by_line


def _likeness(one: Counter[bytes], other: Counter[bytes]) -> float:
    longer = max(one.total(), other.total())
    return (one & other).total() / longer if longer else 0.0
