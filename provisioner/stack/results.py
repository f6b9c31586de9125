"""
What the operations of a `Stack` return: typed values, each with the document of its command.

Decides which questions a program may ask of a plan and of a result.  The rows themselves are
those of the documents, whose keys `schemas/plan.schema.json` describes; nothing here is worked out
again.  Texts of servers and files in them are foreign: escape them where you print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.errors import CtxprovError, Problem
from provisioner.escape import json_text
from provisioner.model.money import Totals
from provisioner.render.forecast import forecast_json, schedule_sentence
from provisioner.view.forecast import Forecast
from provisioner.view.plan import REMOVALS, VERBS, PlanView, RowView
from provisioner.view.result import OutcomeKey, ResultRowView, ResultView
from provisioner.view.wording import BrokenLimit


class StackWarning(Struct, frozen=True):
    """What deserves attention and stops nothing."""

    message: str
    problem: Problem | None = None
    """Its place in the manifest, where it has one."""

    def __str__(self) -> str:
        return str(self.problem) if self.problem else self.message


class StackPlan(Struct, frozen=True, kw_only=True):
    """
    What an apply would do to one stack, and what that costs.

    `document` is the document of `ctxprov plan --json`; its rows are frozen values.
    """

    document: PlanView
    warnings: tuple[StackWarning, ...] = ()
    failures: tuple[CtxprovError, ...] = ()
    """Why the state or the live side is not known; without any, the plan is whole."""
    is_refused: bool = False
    """Whether apply would refuse it, or a part of it, as far as a plan can know."""

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.counts[verb]} to {verb}" for verb in VERBS if self.counts[verb])
        return f"<StackPlan {self.stack}: {counts or 'nothing to do'}>"

    @property
    def stack(self) -> str:
        """STACK or STACK.ENVIRONMENT."""
        return self.document.stack

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the edits: the same everywhere, until the repository changes."""
        return self.document.fingerprint

    @property
    def needs_approval(self) -> bool:
        """Whether it holds edits; what time and drift ask for needs no approval."""
        return self.document.has_edits

    @property
    def changes(self) -> tuple[RowView, ...]:
        """A row for each cache that is declared, on record, retiring or labelled as the stack's."""
        return self.document.rows

    @property
    def pending(self) -> tuple[RowView, ...]:
        """The changes of which an apply would do anything."""
        return tuple(row for row in self.changes if row.pending)

    @property
    def creations(self) -> tuple[RowView, ...]:
        return self._rows("create")

    @property
    def replacements(self) -> tuple[RowView, ...]:
        return self._rows("replace")

    @property
    def refreshes(self) -> tuple[RowView, ...]:
        return self._rows("refresh")

    @property
    def removals(self) -> tuple[RowView, ...]:
        """What is retired, deleted or forgotten."""
        return self._rows(*REMOVALS)

    @property
    def blocked(self) -> tuple[RowView, ...]:
        """What apply refuses to do; `why` says how to go on."""
        return self._rows("blocked")

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes there are, by verb; `blocked` and `unchanged` come last."""
        return self.document.counts

    @property
    def totals(self) -> Totals:
        """What it costs, in USD: at once, in rent per hour and while replaced caches retire."""
        return self.document.totals

    @property
    def breaches(self) -> tuple[BrokenLimit, ...]:
        """What goes beyond the limits of the manifest."""
        return self.document.limits

    def as_json(self) -> str:
        """Byte for byte what `ctxprov plan --json` prints."""
        return json_text(self.document)

    def _rows(self, *verbs: str) -> tuple[RowView, ...]:
        return tuple(row for row in self.changes if row.action in verbs)


class StackDrift(Struct, frozen=True, kw_only=True):
    """What another program changed on the live side; `document` is that of `ctxprov drift`."""

    document: PlanView
    sentence: str
    """What there is to say where nothing drifted."""
    warnings: tuple[StackWarning, ...] = ()

    def __repr__(self) -> str:
        names = ", ".join(row.name for row in self.changes)
        return f"<StackDrift {self.document.stack}: {names or 'no drift'}>"

    @property
    def changes(self) -> tuple[RowView, ...]:
        """What is missing, was shortened, or carries the stack's label without a record."""
        return self.document.rows

    def as_json(self) -> str:
        """What `ctxprov drift --json` prints."""
        return json_text(self.document)


class ApplyResult(Struct, frozen=True, kw_only=True):
    """
    How a run ended.

    `document` is the document of `ctxprov apply --json`: a row for each change that was pending.
    """

    document: ResultView
    serial: int
    """Of the state afterwards; the next write of it has a higher one."""
    summary: str
    """`Applied: 3 done, 1 failed, 2 not attempted.`"""
    has_failed: bool
    """Whether anything is left undone that was not refused: run again."""
    is_refused: bool
    """Whether anything is left undone because it is refused or was not approved."""
    errors: tuple[CtxprovError, ...] = ()
    """Of the changes that failed; `retryable` and `retry_after` are those of `CacheError`."""
    unapproved: tuple[str, ...] = ()
    """Names of entries, and keys of settings, whose edits were not approved and are left undone."""
    gaps: tuple[str, ...] = ()
    """Names of caches that died and whose approved or recorded content is not here any more."""
    cold: frozenset[str] = frozenset()
    """Names of caches that are on record and not alive."""
    warnings: tuple[StackWarning, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.document.stack}: {self.summary}>"

    @property
    def changes(self) -> tuple[ResultRowView, ...]:
        """How each pending change ended."""
        return self.document.results

    @property
    def done(self) -> tuple[ResultRowView, ...]:
        return self._rows("done")

    @property
    def failed(self) -> tuple[ResultRowView, ...]:
        return self._rows("failed")

    @property
    def not_attempted(self) -> tuple[ResultRowView, ...]:
        return self._rows("not_attempted")

    def as_json(self) -> str:
        """What `ctxprov apply --json` and `ctxprov keepalive --json` print."""
        return json_text(self.document)

    def _rows(self, outcome: OutcomeKey) -> tuple[ResultRowView, ...]:
        return tuple(row for row in self.changes if row.outcome == outcome)


class KeepaliveResult(ApplyResult, frozen=True, kw_only=True):
    """How a run ended that keeps alive what is on record."""

    covered_until: datetime | None
    """Until when everything stays warm without another run, aware UTC; None if a cache is cold."""
    left: tuple[str, ...] = ()
    """What the run leaves to a review or a person, in sentences."""


class StackForecast(Struct, frozen=True, kw_only=True):
    """What a schedule will do with a stack, simulated."""

    forecast: Forecast
    """How many runs there are, and what becomes of each cache."""
    warnings: tuple[StackWarning, ...] = ()

    def __repr__(self) -> str:
        return f"<StackForecast {self.forecast.stack}: {self.sentence}>"

    @property
    def sentence(self) -> str:
        """Whether the schedule keeps the most demanding cache warm."""
        return schedule_sentence(self.forecast.tightest, self.forecast.every)

    @property
    def cold(self) -> Mapping[str, timedelta]:
        """For how long no application can use a cache, by the names of those that go cold."""
        outlooks = self.forecast.outlooks
        return {outlook.name: outlook.cold for outlook in outlooks if outlook.cold}

    def as_json(self) -> str:
        """What `ctxprov forecast --json` prints."""
        return forecast_json(self.forecast)
