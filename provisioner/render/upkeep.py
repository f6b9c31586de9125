"""What a scheduled run has to say besides its plan."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.escape import plain
from provisioner.model import Create, Edit, SettingEdit

_NAMED = 10


def gap_line(gap: Create) -> str:
    return plain(
        f"! {gap.want.name}: cannot be made again: the working tree no longer has exactly "
        f"the recorded content ({gap.want.digest[:12]}); apply the edit, or check out what was "
        "applied"
    )


def waiting_lines(edits: Iterable[Edit]) -> list[str]:
    """The edits that wait for a review, counted and the first of them named."""
    names = sorted(edit.name for edit in edits)
    if not names:
        return []
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    listed = ", ".join([*names[:_NAMED], *more])
    plural = "edit waits" if len(names) == 1 else "edits wait"
    return [plain(f"{len(names)} {plural} for a review and apply: {listed}.")]


def setting_lines(edits: Iterable[SettingEdit]) -> list[str]:
    """The settings that wait for a review, each with the value that holds until then."""
    return [
        plain(
            f"The setting {edit.key} waits for a review and apply: {edit.before or 'none'} holds, "
            f"and the manifest says {edit.after or 'none'}."
        )
        for edit in edits
    ]
