"""
A plan as it may be shown: the redacted value that every format is made from, and its JSON.

`PlanView` is the plan document: its fields are the keys, in their order, and the published
schema is made from it.  It holds no content and no key.  Within a `format_version` keys are
only added.  What the command knows beside the plan, such as prices and the commit, comes in
as values.  Columns, colours and escapes are not known here: texts are as foreign as their
source.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from shlex import quote
from typing import Annotated, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import asdict, replace

from provisioner.documents import Count, Name, ShownText
from provisioner.model.changes import (
    Blocked,
    Cause,
    Change,
    ChangeVerb,
    Delete,
    Forget,
    Reason,
    Refresh,
    Retire,
    Tone,
)
from provisioner.model.money import Cost, Totals
from provisioner.model.plan import Edit, Leftover, Plan, digests_of
from provisioner.model.rates import Lookup
from provisioner.model.records import RecordedAnnotation, RecordedCache
from provisioner.model.stack_settings import Breach, SettingEdit
from provisioner.planner.transitions import next_refresh, valid_until
from provisioner.pricing import costs, totals, totals_of
from provisioner.view.snapshot import (
    AfterView,
    Commit,
    Moment,
    Provider,
    ShownDigest,
    Snapshot,
    after,
    after_view,
    before,
    gone_at,
)
from provisioner.view.units import size_text
from provisioner.view.wording import (
    BrokenLimit,
    Section,
    broken_limits,
    noteworthy,
    section,
    symbol,
    tone,
    why,
)

FORMAT_VERSION: Literal[1] = 1
REMOVALS = frozenset({"retire", "delete", "forget"})


class Summary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How many changes there are of each kind.

    What is left alone, or has retired by itself, is not counted.
    """

    create: Count
    replace: Count
    refresh: Count
    delete: Count
    adopt: Count
    annotate: Count
    note: Count
    move: Count
    retire: Count
    forget: Count
    blocked: Count
    unchanged: Count


VERBS = Summary.__struct_fields__[:-2]
"""Of all that is done."""


class EditView(Struct, frozen=True, forbid_unknown_fields=True):
    """How the repository differs from the record; an `after` of null is a removal."""

    name: Name
    after: AfterView | None

    @property
    def edit(self) -> Edit:
        return Edit(self.name, self.after.after if self.after else None)


class DeclaredView(Struct, frozen=True, forbid_unknown_fields=True):
    """What the repository asks for under one name."""

    name: Name
    after: AfterView


class LeftoverView(Leftover, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What the branch leaves alive, since it declares a stack no longer.

    command: What takes its caches along, or ends them; made of the above.
    """

    command: ShownText


class RowView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One change.

    section: Under which heading people find it.
    cause: Who caused it: an edit of the repository, the clock, or a change on the live
        side. Null where nothing is to be done.
    pending: Whether an apply would do anything.
    why: The reason as a sentence. For people.
    before: What is on record and alive; null if nothing is.
    after: What the repository asks for; null if nothing.
    gone_at: When the cache that lives now is gone, because it is retired or deleted; null
        if it stays, or if there is none.
    cost: Null if it was not worked out.
    """

    name: Name
    provider: Provider
    section: Section
    action: ChangeVerb
    reason: Reason
    cause: Cause | None
    pending: bool
    why: ShownText
    before: Snapshot | None
    after: Snapshot | None
    gone_at: Moment | None
    cost: Cost | None

    def __post_init__(self) -> None:
        if self.before is None and self.after is None:
            raise ValueError("this must have a before or an after")

    @property
    def symbol(self) -> str:
        return symbol(self.action, self.section)

    @property
    def tone(self) -> Tone:
        return tone(self.action, self.section)

    @property
    def is_shown(self) -> bool:
        """Whether a format shows it unasked."""
        if self.action == "keep":
            return self.section is not Section.UNCHANGED
        ends_by_itself = self.action == "leave" and self.reason is Reason.RETIRING
        return self.reason is not Reason.RETIRED and not ends_by_itself

    def shows(self, edit: EditView) -> bool:
        """Whether it shows *edit*: what is asked for now, or that nothing is."""
        if self.name != edit.name or not self.is_edit:
            return False
        if self.action in REMOVALS or (self.action == "blocked" and self.after is None):
            return edit.after is None
        side = self.before if self.action == "move" else self.after
        return side is not None and edit.after is not None and side.asked == edit.after

    @property
    def is_edit(self) -> bool:
        """Whether a fingerprint covers it: an edit, or what is found alive without a record."""
        return self.section in {Section.EDITS, Section.REFUSED} or self.reason is Reason.FOUND

    @property
    def model(self) -> str:
        return self._sides[-1].model

    @property
    def sizes(self) -> str:
        """`812 kB → 830 kB`, or one of them if they read the same."""
        return _arrow(size_text(side.size) for side in self._sides if side.holds_content)

    @property
    def tokens(self) -> str:
        """`201k → ~205k`, or one of them if they read the same."""
        sides = (side for side in self._sides if side.tokens or side.holds_content)
        return _arrow(side.tokens_text for side in sides)

    @property
    def _sides(self) -> tuple[Snapshot, ...]:
        return tuple(side for side in (self.before, self.after) if side)


class PlanView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A plan of ctxprov.

    What `ctxprov plan --json` prints. Within a format_version keys are only added.

    at: The moment for which the plan was made.
    valid_until: The earliest moment at which a change would be of another kind; null if
        time changes nothing.
    next_refresh: When the first of the unchanged caches is to be refreshed; null if none
        ever is.
    fingerprint: SHA-256 over the edits: the same wherever and whenever it is computed,
        until the repository changes.
    commit: The commit that the stack was read from, if that is known; files may have been
        edited since.
    writes: Where apply writes: the addresses of the state and of the handles, as the
        manifest or the command line spells them.
    partial: Whether names were selected: the rest of the stack is not in it.
    timeless: Whether two revisions were compared, so that no clock ends the plan.
    limits: What goes beyond the limits of the manifest.
    changes: One for every cache that is declared, on record, retiring or labelled as the
        stack's; those that need nothing, too.
    edits: How the repository differs from the record, by name; an `after` of null is a
        removal.
    desired: What the repository asks for, by name: every declared cache, the unchanged
        ones, too.
    rested: Edits that an apply could not do, and that are open no longer: the fingerprint
        does not cover them. Absent in older plans.
    settings: Edits of the settings of the stack: limits, providers, publish and state, by
        dotted key. Absent in older plans.
    leftover: What the branch leaves alive, since it declares a stack no longer; null or
        absent if there is none.
    """

    format_version: Literal[1]
    stack: Name
    at: Moment
    valid_until: Moment | None
    next_refresh: Moment | None
    fingerprint: ShownDigest
    commit: Commit | None
    writes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...], Meta(max_length=2)
    ] = ()
    partial: bool
    timeless: bool
    summary: Summary
    limits: Annotated[tuple[BrokenLimit, ...], Meta(max_length=8)]
    totals: Totals
    rows: tuple[
        Annotated[
            RowView,
            Meta(
                extra_json_schema={
                    "anyOf": [
                        {"properties": {side: {"type": "object"}}} for side in ("before", "after")
                    ]
                }
            ),
        ],
        ...,
    ] = field(name="changes")
    """In a view for a terminal without what stays as it is."""
    edits: tuple[EditView, ...]
    declared: tuple[DeclaredView, ...] = field(name="desired")
    """Empty in a view for a terminal."""
    rested: tuple[EditView, ...] = ()
    settings: Annotated[tuple[SettingEdit, ...], Meta(max_length=10_000)] = ()
    leftover: LeftoverView | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes there are, by verb; `blocked` and `unchanged` come last."""
        return asdict(self.summary)

    @property
    def digests(self) -> frozenset[str]:
        """Of each of its edits."""
        return digests_of(self.stack, frozenset(edit.edit for edit in self.edits), self.settings)

    @property
    def has_edits(self) -> bool:
        return bool(self.edits or self.settings)

    @property
    def unshown(self) -> tuple[EditView, ...]:
        """Edits that no row shows: of a removed entry, say, whose cache another one adopts."""
        rows: dict[str, list[RowView]] = defaultdict(list)
        for row in self.rows:
            rows[row.name].append(row)
        return tuple(
            edit
            for edit in (*self.edits, *self.rested)
            if not any(row.shows(edit) for row in rows[edit.name])
        )


class Presentation(Struct, frozen=True, kw_only=True, dict=True):
    """A plan with what its views show beside it, made on request."""

    plan: Plan
    prices: Lookup
    writes: tuple[str, ...]
    commit: str | None = None
    timeless: bool = False
    """It compares revisions, so no clock ends it."""
    breaches: tuple[Breach, ...] = ()

    @cached_property
    def whole(self) -> PlanView:
        """For documents."""
        return self._view(self.plan.changes)

    @cached_property
    def short(self) -> PlanView:
        """For a terminal: what stays as it is costs nothing."""
        return self._view(noteworthy(self.plan))

    def _view(self, changes: tuple[Change, ...]) -> PlanView:
        plan, prices = self.plan, self.prices
        paid = costs(replace(plan, changes=changes), prices, at=plan.now)
        is_all = len(changes) == len(plan.changes)
        return plan_view(
            plan,
            changes,
            costs=paid,
            totals=totals(paid) if is_all else totals_of(plan, prices, at=plan.now),
            valid_until=None if self.timeless else valid_until(self.plan),
            next_refresh=None if self.timeless else next_refresh(self.plan),
            timeless=self.timeless,
            commit=self.commit,
            writes=self.writes,
            breaches=self.breaches,
        )


def plan_view(
    plan: Plan,
    changes: Sequence[Change],
    *,
    costs: Iterable[Cost],
    totals: Totals,
    valid_until: datetime | None,
    next_refresh: datetime | None,
    timeless: bool,
    commit: str | None,
    writes: Iterable[str],
    breaches: Iterable[Breach] = (),
) -> PlanView:
    """View *plan* with a row for each of *changes*, whose *costs* are in the same order."""
    left = plan.leftover
    return PlanView(
        format_version=FORMAT_VERSION,
        stack=plan.stack,
        at=plan.now,
        valid_until=valid_until,
        next_refresh=next_refresh,
        fingerprint=plan.fingerprint,
        partial=plan.is_partial,
        timeless=timeless,
        commit=commit,
        writes=tuple(writes),
        summary=summary((change.verb, change.reason) for change in plan.changes),
        edits=_edits(plan.edits),
        settings=plan.settings,
        leftover=LeftoverView(**asdict(left), command=leftover_command(left)) if left else None,
        rested=_edits(plan.rested),
        declared=tuple(sorted(_declared(changes), key=lambda want: want.name)),
        rows=rows(plan, changes, costs),
        limits=broken_limits(breaches),
        totals=totals,
    )


def rows(
    plan: Plan, changes: Iterable[Change], costs: Iterable[Cost | None]
) -> tuple[RowView, ...]:
    """View *changes* of *plan*, each with its cost if that is known."""
    removed = _removed(plan)
    return tuple(
        _row(change, plan.now_of(change.provider), removed, cost)
        for change, cost in zip(changes, costs, strict=True)
    )


def by_section(rows: Sequence[RowView]) -> Mapping[Section, Sequence[RowView]]:
    """Group *rows* under the sections that have any, in the order in which they are shown."""
    groups = {section: [row for row in rows if row.section is section] for section in Section}
    return {section: group for section, group in groups.items() if group}


def summary(changes: Iterable[tuple[str, Reason]]) -> Summary:
    """Count *changes*, each a verb and its reason."""
    verbs = Counter(verb for verb, reason in changes if reason is not Reason.RETIRED)
    done = {verb: verbs[verb] for verb in VERBS}
    return Summary(**done, blocked=verbs["blocked"], unchanged=verbs["keep"])


def leftover_command(left: Leftover) -> str:
    """
    What takes the caches along, or ends them, as typed into a shell.

    It is made of quoted parts, since a plan may come from a job that is not trusted.
    """
    state = quote(left.state)
    if left.usual and state == left.state:  # apply may have had the variable
        state = f'"${{CTXPROV_STATE:-{state}}}"'
    if left.successor:
        names = f"{quote(left.stack)} {quote(left.successor)}"
        return f"ctxprov state rename-stack {names} --state {state}"
    keys = "".join(f" --key-env {quote(f'{name}={key}')}" for name, key in left.key_envs.items())
    return f"ctxprov destroy --stack {quote(left.stack)} --state {state}{keys}"


def _edits(edits: Iterable[Edit]) -> tuple[EditView, ...]:
    views = (EditView(edit.name, after_view(edit.after) if edit.after else None) for edit in edits)
    return tuple(sorted(views, key=lambda edit: edit.name))


def _declared(changes: Sequence[Change]) -> Iterator[DeclaredView]:
    refused = {change.name for change in changes if isinstance(change, Blocked)}
    for change in changes:
        if isinstance(change, Refresh) and change.want.name in refused:
            continue  # as it is on record, not as it is declared
        if want := change.want:
            yield DeclaredView(want.name, after_view(want.after))


def _row(change: Change, at: datetime, removed: Mapping[str, str], cost: Cost | None) -> RowView:
    old, new = before(change), after(change, at)
    same_as = removed.get(new.digest) if new and new.digest and old is None else None
    return RowView(
        name=change.name,
        provider=change.provider,
        section=section(change),
        action=change.verb,
        reason=change.reason,
        cause=change.reason.cause,
        pending=change.is_pending,
        why=why(change, at) + (f"; same content as {same_as}" if same_as else ""),
        before=old,
        after=new,
        gone_at=gone_at(change, at),
        cost=cost,
    )


def _removed(plan: Plan) -> Mapping[str, str]:
    """The names of what is no longer declared, by digest."""
    return {
        change.record.digest: change.record.name
        for change in plan.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    }


def _arrow(texts: Iterable[str]) -> str:
    return " → ".join(dict.fromkeys(texts))
