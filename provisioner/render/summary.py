"""
A plan in sentences: the stable line that scripts look for, how long it is true, and what waits.

How wide a terminal is and what marks a sentence is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.escape import plain
from provisioner.model.changes import Cause, Create
from provisioner.model.plan import Edit
from provisioner.model.stack_settings import SettingEdit
from provisioner.view.plan import VERBS, LeftoverView, PlanView
from provisioner.view.units import listed, rent_text, totals_text, unpriced_text, when
from provisioner.view.wording import PAST_TENSE

_ALWAYS = ("create", "replace", "refresh", "delete", "unchanged")
_NAMED = 10
SHORT = 12
"""As many digits of a digest tell two apart for people."""


def plan_line(plan: PlanView) -> str:
    """`Plan: 2 to create, 1 to replace, …, 5 unchanged.`; rare verbs only if there are any."""
    number = plan.counts
    shown = [verb for verb in number if verb in _ALWAYS or number[verb]]
    return f"Plan: {', '.join(_counted(verb, number[verb]) for verb in shown)}."


def headline(plan: PlanView) -> str:
    """The same without what there is none of; `no changes` if that is nothing."""
    doing = [_counted(verb, number) for verb, number in plan.counts.items() if number]
    doing += [settings_count(plan)] if plan.settings else []
    return ", ".join(doing) if not changes_nothing(plan) else _calm(plan)


def done_text(plan: PlanView) -> str:
    """`2 replaced, 1 created`: what a review is about, replacements first."""
    verbs = sorted(plan.counts, key=lambda verb: verb != "replace")
    done = [
        f"{plan.counts[verb]:,} {PAST_TENSE[verb]}"
        for verb in verbs
        if verb != "unchanged" and plan.counts[verb]
    ]
    done += [settings_count(plan)] if plan.settings else []
    return ", ".join(done) or _calm(plan)


def _calm(plan: PlanView) -> str:
    gone = plan.leftover and plan.leftover.successor is None
    return "declared no longer" if gone else "no changes"


def changes_nothing(plan: PlanView) -> bool:
    """Whether there is nothing to do and nothing refused."""
    return sum(plan.counts.values()) == plan.counts["unchanged"] and not plan.has_edits


def no_changes(plan: PlanView, *, recorded: bool = False) -> str:
    """
    Say of what was compared that it is well, and when something is next to be done.

    That is the manifest, or what is *recorded* alone.
    """
    if plan.partial or plan.leftover or not plan.counts["unchanged"]:
        return "No changes."
    compared = "No changes. Every " + (
        "recorded cache is alive" if recorded else "cache is as declared"
    )
    if plan.next_refresh is None:
        return f"{compared}; none is to be refreshed."
    return f"{compared}; the next refresh is due at {when(plan.next_refresh, at=plan.at)}."


def validity(plan: PlanView) -> str:
    if plan.valid_until is None:
        return "Valid until something is edited."
    return f"Valid until {when(plan.valid_until, at=plan.at)}."


def money_line(plan: PlanView) -> str:
    """`Money: $4.10 once, +$0.14/h; then $1.20/h, …`; empty if there is nothing to pay."""
    totals = plan.totals
    stands = f"rent {rent_text(totals)}" if totals.has_rent else ""
    amounts = [totals_text(totals), stands, unpriced_text(totals)]
    return f"Money: {' · '.join(filter(None, amounts))}." if any(amounts) else ""


def fingerprint_line(plan: PlanView) -> str:
    number = len(plan.edits) + len(plan.settings)
    edits = f"{number} edit{'' if number == 1 else 's'}" if number else "no edits"
    return f"Fingerprint {plan.fingerprint[:SHORT]} ({edits})."


def writes_line(plan: PlanView) -> str:
    """`Writes go to state/demo.json and handles.json.`; empty if it has nothing to write."""
    if changes_nothing(plan) or not plan.writes:
        return ""
    return f"Writes go to {plain(' and '.join(plan.writes))}."


def settings_count(plan: PlanView) -> str:
    number = len(plan.settings)
    return f"{number:,} setting{'' if number == 1 else 's'} changed"


def setting_cells(edit: SettingEdit) -> tuple[str, str, str]:
    """Its key, and what it was and is: a digest is cut as a fingerprint is."""
    return edit.key, _setting_text(edit.before), _setting_text(edit.after)


def leftover_lines(plan: PlanView) -> tuple[str, ...]:
    """Say what the branch leaves alive, and by which command that ends; the command is last."""
    match plan.leftover:
        case None:
            return ()
        case LeftoverView(caches=()) as left:
            return (f"{left.stack} is declared no longer. It kept no caches alive.",)
        case LeftoverView(successor=None) as left:
            sentence = (
                f"{left.stack} is declared no longer. {_live(left)}, paid for until they expire; "
                "nothing refreshes or ends them. After the merge, end them with:"
            )
        case left:
            sentence = (
                f"{left.stack} is called {left.successor} now. {_live(left)}, and "
                f"{left.successor} makes its own, unless this comes before its apply:"
            )
    return sentence, left.command


def _live(left: LeftoverView) -> str:
    names = ", ".join(left.caches[:_NAMED])
    more = f" and {len(left.caches) - _NAMED:,} more" if len(left.caches) > _NAMED else ""
    return f"Its caches stay alive where they were applied ({names}{more})"


def rested_line(plan: PlanView) -> str:
    """Name the edits that rest, but for what can be done by now; empty if none does."""
    done = {row.name for row in plan.rows if row.pending and row.cause is Cause.EDIT}
    names = ", ".join(edit.name for edit in plan.rested if edit.name not in done)
    if not names:
        return ""
    return (
        f"Warning: approved, and could not be done: {names}. Edit the entry again, or name it "
        "with --replace, to take that up again."
    )


def migration_line(plan: PlanView) -> str:
    """Say what another address of the state takes; empty if it stays where it is."""
    if not any(edit.key == "state" for edit in plan.settings):
        return ""
    return (
        "The address of the state changes: move the state there with `ctxprov state migrate` "
        "before the next apply, which would begin with an empty state."
    )


def _setting_text(value: str | None) -> str:
    if value is None:
        return "none"
    return value[: len("sha256:") + SHORT] if value.startswith("sha256:") else value


def removals_line(plan: PlanView) -> str:
    """Name the removed entries that no row shows; empty if there are none."""
    names = ", ".join(edit.name for edit in plan.unshown)
    return f"Removed from the manifest, with no change of their own: {names}." if names else ""


def _counted(verb: str, number: int) -> str:
    return f"{number} to {verb}" if verb in VERBS else f"{number} {verb}"


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
    plural = "edit waits" if len(names) == 1 else "edits wait"
    return [plain(f"{len(names)} {plural} for a review and apply: {listed(names, _NAMED)}.")]


def setting_lines(edits: Iterable[SettingEdit]) -> list[str]:
    """The settings that wait for a review, each with the value that holds until then."""
    return [
        plain(
            f"The setting {edit.key} waits for a review and apply: {edit.before or 'none'} holds, "
            f"and the manifest says {edit.after or 'none'}."
        )
        for edit in edits
    ]
