"""
Which rules a simulated world broke, by its log alone.

The checker imports nothing of `provisioner`.  It compares the content that arrived at the provider
with the scenario's own texts, and believes no digest; of a label it takes only whose a cache is.
Each rule is a function over the index of the log (`log_index`), and each excuse stands beside it
with its reason: a rule that lacks an excuse raises false alarms, and an excuse without a reason
hides a bug.

Whether a fault may excuse a run is asked of that very run: *a fault met it* if one is logged with
its number, or one of its requests was lost or refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum, auto
from itertools import pairwise
from typing import Final

from msgspec import Struct

from tests.simulate.log import (
    CacheDeleted,
    CachePatched,
    FileDeleted,
    FileRead,
    FileWritten,
    WorldEvent,
)
from tests.simulate.log_index import (
    TOLERANCE,
    Cache,
    FileKey,
    HandlesDocument,
    HistoryDocument,
    LeaseDocument,
    Life,
    LogIndex,
    Run,
    StateDocument,
    View,
    is_lease,
    seconds_in,
)

_GRACE: Final = 0.9
"""Seconds that a server gets at least, after a lost answer, before it is listed; 1 by our clock."""
_TERM: Final = 59.0
"""Seconds that a lease lasts at least; 60 by a clock that may drift."""
_FRESH: Final = 10.5
"""Seconds for which a lock that was looked at counts as held."""
_UNSEEN: Final = 120.0
"""Seconds that a clock may be ahead unnoticed, where an answer took so long."""
_SURPLUS: Final = 60.0
"""Seconds that a twin lives at least, once its run has shortened its life."""
_ORDERLY: Final = frozenset({"done", "failed", "refused", "killed", "error"})
_CHANGING: Final = frozenset({"apply", "keepalive", "destroy"})
_PROBE: Final = "ctxprov-probe.json"


class Rule(StrEnum):
    """What no world may break."""

    NEEDLESS_CREATE = auto()
    """A cache is made while one of the same entry and content serves."""
    NOT_CONVERGED = auto()
    """After clean runs there is not exactly one live cache on record per declared entry."""
    CREATE_IN_LAST = auto()
    """The last clean run makes a cache."""
    LOCK_LEFT = auto()
    """A lock is held after the last clean run."""
    DRAFT_LEFT = auto()
    """A store holds a file, or a history an unfinished run, that no finished run leaves."""
    FOREIGN_CHANGED = auto()
    """A run changes a cache of another owner."""
    HANDLE_BROKEN = auto()
    """A published handle ends before its time."""
    BLIND_WRITE = auto()
    """A run replaces a version of a file that it has not seen."""
    UNAPPROVED = auto()
    """An edit is performed that was not approved."""
    WENT_COLD = auto()
    """A warm cache ends although a run came in time, or stays ended after one that was done."""
    TOO_MUCH_RENT = auto()
    """A cache lives longer than what was declared, its overlap, and logged twins explain."""
    CRASHED = auto()
    """A run ends with an exception that is not documented, or not at all."""


class Violation(Struct, frozen=True):
    """A rule that was broken."""

    rule: Rule
    at: float
    """In virtual seconds."""
    sentence: str
    run: int | None = None
    entry: str | None = None


def _of(cache: Cache, rule: Rule, at: float, sentence: str, run: int) -> Violation:
    """A violation of *rule* that concerns *cache*."""
    return Violation(rule, at, sentence, run, cache.entry or None)


def check(events: Sequence[WorldEvent]) -> list[Violation]:
    """Every violation in a log, in the order of time."""
    log = LogIndex(events)
    violations = [violation for rule in _RULES for violation in rule(log)]
    return sorted(violations, key=lambda violation: (violation.at, violation.rule))


# --- what is made ------------------------------------------------------------------------------


def needless_creates(log: LogIndex) -> Iterator[Violation]:
    """
    Each create needs a reason why no earlier cache of its entry, content and model serves.

    So creates are at most 1 and the reasons, each of which one earlier cache brings with it:

    * it was deleted by another hand, or expired (`WENT_COLD` judges whether it had to), or ended
      after an edit, to whose content a later edit returns;
    * its answer was lost, and it did not show when its run listed, a second later at the earliest:
      it was late, perhaps later than the second create, or the LIST lagged.  A request that a
      proxy doubles is one create;
    * the caller asked to make it again (`--replace`);
    * it is not on record, because the state was lost, rolled back or not saved, and the LIST
      lagged or lied.  What is on record is asked for by GET, which is true;
    * two runs were at work, because a fault cost the slower one its lock: no provider knows a
      fence.
    """
    earlier: dict[tuple[str, ...], list[Cache]] = defaultdict(list)
    for cache in log.caches.values():
        created = cache.created
        if created.run == 0 or not cache.stack:
            continue
        entry = log.first_name(cache.stack, cache.entry)
        caches = earlier[cache.stack, entry, created.content, created.model, created.project]
        for other in caches:
            if why := _why_needless(log, cache, other):
                why = f"{cache.id} was made, and {other.id} has its content: {why}"
                yield _of(cache, Rule.NEEDLESS_CREATE, created.at, why, created.run)
                break
        caches.append(cache)


def _why_needless(log: LogIndex, cache: Cache, other: Cache) -> str | None:
    """Why *other* serves in place of *cache*; None if that cannot be expected."""
    run = log.runs[cache.created.run]
    if not other.is_alive(cache.born, cache.created.at):
        return _why_not_again(run, cache, other)
    if other.created.request == cache.created.request:
        return None
    view = run.view(cache.born)
    names = {other.entry, *view.names_of(other.id)}
    if names & (log.wanted(run, cache.born).keys() - {cache.entry}):
        return None
    if names.isdisjoint(log.names(run, cache.entry, cache.born)):
        return None
    if other.created.run == run.number:
        first, second = sorted((other, cache), key=lambda twin: twin.created.request)
        return _why_not_twice(log, run, second, first)
    recorded = view.names_of(other.id)
    is_kept = bool(recorded) and cache.entry not in recorded and not run.begun.approves
    if is_kept or cache.entry in run.begun.replaces:
        return None  # it stays with another name, whose removal may not be approved
    return _why_unseen(log, run, cache, other, view)


def _why_not_again(run: Run, cache: Cache, other: Cache) -> str | None:
    """A cache that is to be kept once has ended for good, as long as its record says so."""
    record = run.view(cache.born).caches.get(cache.entry)
    has_run_out = other.ended_by is None and record is not None and record.id == other.id
    if record is None or not has_run_out or cache.entry in run.begun.replaces:
        return None
    return None if record.settings.keep == "warm" else "it was to be made once, and has run out"


def _why_not_twice(log: LogIndex, run: Run, cache: Cache, other: Cache) -> str | None:
    """Within one run: after a lost answer it has to look before it sends again."""
    when, answer = log.answers.get(other.created.request, (cache.born, None))
    if answer is None or when >= cache.born:
        return "its create had not been answered"
    if answer.is_delivered and not answer.is_success:
        return None  # a proxy sent it twice, and only the refusal of the second arrived
    if answer.is_delivered:
        return "its create had been answered"
    lists = [entry for entry in run.lists if when < entry[0] < cache.born]
    lists = [entry for entry in lists if entry[1].project == cache.created.project]
    if not lists:
        return "its answer was lost, and no LIST came before the second create"
    was_hidden = any(other.id in {*listed.alive} - {*listed.shown} for _, listed in lists)
    if not was_hidden and any(other.id in listed.shown for _, listed in lists):
        return "a LIST had shown it after its answer was lost"
    position, last = lists[-1]
    if other.born > position and last.at - answer.at < _GRACE:
        return f"the LIST came only {last.at - answer.at:.1f} s after its answer was lost"
    return None


def _why_unseen(
    log: LogIndex, run: Run, cache: Cache, other: Cache, view: StateDocument
) -> str | None:
    """Of another run: what is listed, or on record, is there."""
    lists = [
        entry
        for entry in run.lists
        if entry[0] < cache.born and entry[1].project == cache.created.project
    ]
    if not lists:
        return "nothing was listed before the create"
    if other.born > lists[0][0]:
        has_met_fault = run.has_met_fault or log.runs[other.created.run].has_met_fault
        is_excused = has_met_fault or not log.is_answered(other, cache.born)
        return None if is_excused else "another run made it after this run had listed"
    was_hidden = any(other.id in {*listed.alive} - {*listed.shown} for _, listed in lists)
    has_vanished = any(
        twin.ended_by == 0 and lists[0][0] < (twin.ended or 0) < cache.born
        for twin in log.caches.values()
        if (twin.stack, twin.entry) == (other.stack, other.entry)
        and twin.created.content == other.created.content
    )
    if has_vanished:
        return None  # what it would have adopted was deleted since, by another hand
    if not was_hidden and any(other.id in listed.shown for _, listed in lists):
        return "a LIST had shown it"
    promise = view.promise(other.id)
    if promise is not None and promise > lists[-1][1].at + TOLERANCE and not log.is_misdated(run):
        return "it is on record, and a GET would have shown it"
    return None


# --- what is left at the end -------------------------------------------------------------------


def unconverged(log: LogIndex) -> Iterator[Violation]:
    """
    Once faults have ended, clean runs leave what is declared, and are done.

    Two of them, a third where the brake held caches back.  Beside the one cache of each entry there
    may be what is retiring, on record, and strays that the log explains (`_is_explained`).  What
    was to be made once may have run out.
    """
    for run in _last_clean(log):
        yield from _unclean(log, run)
        stack, end = run.begun.stack, run.end
        if end is None:
            continue
        state, at = log.state(stack, end), log.at(end)
        wanted = log.wanted(run, end)
        for name in sorted(wanted.keys() | state.caches.keys()):
            if why := _why_unconverged(log, run, end, name):
                yield Violation(Rule.NOT_CONVERGED, at, why, run.number, name)
        for cache in _strays(log, stack, end):
            if not _is_explained(log, cache, end):
                why = f"{cache.id} is alive, not on record, and no fault explains it"
                yield _of(cache, Rule.NOT_CONVERGED, at, why, run.number)


def _unclean(log: LogIndex, last: Run) -> Iterator[Violation]:
    """Every clean run is done; where there is a third, the brake may have held back the others."""
    runs = [run for run in log.runs_of(last.begun.stack) if run.begun.clean]
    orderly = {"done", "refused"} if last.begun.clean > 2 else {"done"}
    for run in runs:
        if run.outcome not in (orderly if run is not last else {"done"}):
            at = run.ended.at if run.ended else log.at(log.last)
            why = f"a clean run ended {run.outcome or 'never'}"
            yield Violation(Rule.NOT_CONVERGED, at, why, run.number)


def _why_unconverged(log: LogIndex, run: Run, end: int, name: str) -> str | None:
    record = log.state(run.begun.stack, end).caches.get(name)
    declared = log.wanted(run, end).get(name)
    if declared is None:
        is_protected = record is not None and record.settings.protect
        return None if is_protected or record is None else "it is on record and not declared"
    if record is None:
        return "it is declared and not on record"
    cache = log.caches.get(record.id)
    if cache is None:
        return f"{record.id} is on record and was never made"
    if cache.created.content != declared.content:
        return f"{cache.id} has other content than is declared"
    if _plain(cache.created.model) != _plain(declared.model):
        return f"{cache.id} is of {cache.created.model}, and {declared.model} is declared"
    if cache.created.project != declared.provider:
        return f"{cache.id} is in {cache.created.project}, and {declared.provider} is declared"
    if declared.is_warm and not cache.is_alive(end, log.at(end)):
        return f"{cache.id} is on record and not alive"
    return None


def _strays(log: LogIndex, stack: str, position: int) -> Iterator[Cache]:
    """What is alive with the label of *stack*, and on record nowhere."""
    at, states = log.at(position), [log.state(name, position) for name in log.states]
    on_record = {id_ for state in states for id_ in state.retiring}
    on_record |= {record.id for state in states for record in state.caches.values()}
    for cache in log.caches.values():
        is_ours = cache.stack == stack and cache.created.run != 0
        if is_ours and cache.id not in on_record and cache.is_alive(position, at):
            yield cache


def _is_explained(log: LogIndex, cache: Cache, position: int) -> bool:
    """
    Whether *cache* may live beside the record.

    Its create was never answered, or a proxy doubled it: a logged twin.  Or its run did not end
    well before any state had it.  Or that state was lost, rolled back or torn.  Or a LIST that
    lagged or lied made a run believe that it was gone.
    """
    stack, maker = cache.stack, log.runs[cache.created.run]
    if not log.is_answered(cache, position):
        return True
    if any(
        twin.created.request == cache.created.request for twin in maker.creations if twin != cache
    ):
        return True
    if any(loss > cache.born for loss in log.losses[stack]):
        return True
    was_recorded = any(
        state.promise(cache.id) is not None
        for at, state in log.states[stack]
        if cache.born < at <= position
    )
    if not was_recorded and not (maker.is_done and maker.end is not None and maker.end <= position):
        return True
    return was_recorded and any(
        cache.id in listed.alive and cache.id not in listed.shown
        for run in log.runs_of(stack)
        for at, listed in run.lists
        if cache.born < at <= position
    )


def creates_in_last(log: LogIndex) -> Iterator[Violation]:
    """The last clean run finds everything made."""
    for run in _last_clean(log):
        for cache in run.creations:
            why = f"the last clean run made {cache.id}"
            yield _of(cache, Rule.CREATE_IN_LAST, cache.created.at, why, run.number)


def locks_left(log: LogIndex) -> Iterator[Violation]:
    """After the last clean run every lock is free, of leases and of servers of states."""
    if not _last_clean(log):
        return
    for (store, file), versions in log.files.items():
        last = versions[-1]
        if is_lease(file) and isinstance(last.event, FileWritten):
            lease = last.document
            if not (isinstance(lease, LeaseDocument) and lease.free):
                why = f"{file} in {store} says that the lock is held"
                yield Violation(Rule.LOCK_LEFT, last.event.at, why, last.event.run)
    for (store, file), change in log.locks.items():
        if change.owner is not None:
            why = f"{store} has {file} locked by {change.owner}"
            yield Violation(Rule.LOCK_LEFT, change.at, why, change.run)


def drafts_left(log: LogIndex) -> Iterator[Violation]:
    """
    A store holds states, leases, histories, published handles and the file of a probe.

    A history may call a run unfinished that was killed or failed, or that met a fault, since no run
    fails because its history cannot be written.  Beside the versions that it names there may be one
    more for each run that was cut off between two writes.
    """
    if not _last_clean(log):
        return
    for (store, file), versions in log.files.items():
        last = versions[-1]
        if not isinstance(last.event, FileWritten):
            continue
        if isinstance(last.document, HistoryDocument):
            yield from _unfinished(log, (store, file), last.document)
        elif not (
            last.document or ".history/" in file or file.endswith(_PROBE) or last.event.run == 0
        ):
            why = f"{file} stays in {store}, and no finished run leaves such a file"
            yield Violation(Rule.DRAFT_LEFT, last.event.at, why, last.event.run)


def _unfinished(log: LogIndex, key: FileKey, history: HistoryDocument) -> Iterator[Violation]:
    store, file = key
    at, writers = log.at(log.last), _writers(log, key)
    for past in history.runs:
        run = writers.get(past.run)
        if past.outcome == "unfinished" and run and run.is_done and not run.has_met_fault:
            why = f"{file} in {store} calls run {run.number} unfinished, which is done"
            yield Violation(Rule.DRAFT_LEFT, at, why, run.number)
    folder = file.removesuffix("runs.json")
    names = {f"{folder}{past.kept}.json" for past in history.runs if past.kept is not None}
    kept = {
        other
        for (place, other), versions in log.files.items()
        if place == store and other.startswith(folder) and other != file
        if isinstance(versions[-1].event, FileWritten)
    }
    cut_off = sum(not run.is_done for run in log.runs_of(history.stack))
    if len(kept - names) > cut_off:
        why = f"{store} keeps {', '.join(sorted(kept - names))}, which {file} does not name"
        yield Violation(Rule.DRAFT_LEFT, at, sentence=why)


def _writers(log: LogIndex, key: FileKey) -> dict[str, Run]:
    """By the id that a run has in a history, as the last entry that it wrote there shows."""
    writers = {}
    for version in log.files[key]:
        run = log.runs.get(version.event.run)
        if run and isinstance(version.document, HistoryDocument) and version.document.runs:
            writers[version.document.runs[-1].run] = run
    return writers


def _last_clean(log: LogIndex) -> list[Run]:
    """The last clean run of each stack, if faults ended."""
    if log.calm is None:
        return []
    last: dict[str, Run] = {}
    for run in log.runs.values():
        if run.begun.clean and run.begin > log.calm:
            last[run.begun.stack] = run
    return list(last.values())


# --- whose it is, and what was approved --------------------------------------------------------


def foreign_changes(log: LogIndex) -> Iterator[Violation]:
    """
    A run patches and deletes what its stack owns: by a record, without one by the label.

    Where no other stack has it on record, an entry may take the cache that its `adopt` names.
    `gc` deletes what it is asked to, of any owner.
    """
    for position, cache, event, run in _changes(log):
        stack = run.begun.stack
        if run.begun.operation == "gc" or _is_ours(log, run, cache, position):
            continue
        why = f"{cache.id} ({cache.created.label or 'no label'}) is not of {stack}"
        yield _of(cache, Rule.FOREIGN_CHANGED, event.at, why, run.number)


def _is_ours(log: LogIndex, run: Run, cache: Cache, position: int) -> bool:
    stack = run.begun.stack
    owners = {name for name in log.states if log.state(name, position).promise(cache.id)}
    if stack in owners or run.view(position).promise(cache.id) is not None:
        return True
    if owners:
        return False
    wanted = log.wanted(run, position).values()
    return cache.stack == stack or any(entry.adopts == cache.id for entry in wanted)


def unapproved(log: LogIndex) -> Iterator[Violation]:
    """
    Time and drift need no approval, an edit does.

    Without one a run makes again what is on record, takes back what is alive without a record, and
    shortens lives that are retiring.  Other content under a name, a name that goes, a life that is
    cut short: each was approved, of this run, for this entry.  A stray goes by `--prune` alone; the
    twins that a run made itself it may retire.  `destroy` is its own approval.
    """
    for run in log.runs.values():
        yield from _unapproved_creates(log, run)
        yield from _unapproved_records(log, run)
    for position, cache, event, run in _changes(log):
        if isinstance(event, CachePatched):
            asked = event.expires_at if event.asked is None else event.asked
            if asked >= cache.life(position - 1).expires_at - TOLERANCE:
                continue
        if run.begun.operation not in _CHANGING or not _is_ours(log, run, cache, position):
            continue
        if why := _why_not_ended(log, run, cache, position, event):
            yield _unapproved(run, event.at, cache.entry, f"{cache.id} {why}")


def _unapproved(run: Run, at: float, entry: str, sentence: str) -> Violation:
    return Violation(Rule.UNAPPROVED, at, sentence, run.number, entry or None)


def _unapproved_creates(log: LogIndex, run: Run) -> Iterator[Violation]:
    for cache in run.creations:
        if _may_have(log, run, cache.entry, cache, cache.born):
            continue
        if cache.entry not in run.view(cache.born).caches and _was_made_before(log, cache):
            continue  # its twin ended between the LIST and the adoption
        why = f"{cache.id} was made with content that is neither on record nor approved"
        yield _unapproved(run, cache.created.at, cache.entry, why)


def _was_made_before(log: LogIndex, cache: Cache) -> bool:
    return any(
        other.stack == cache.stack
        and other.born < cache.born
        and other.entry == cache.entry
        and other.created.content == cache.created.content
        for other in log.caches.values()
    )


def _may_have(log: LogIndex, run: Run, entry: str, cache: Cache, position: int) -> bool:
    """Whether *run* may put what *cache* holds under *entry*: approved, or on record there."""
    return _is_approved(log, run, entry, cache, position) or any(
        _has_like(log, view, entry, cache) for view in run.views if view.position < position
    )


def _has_like(log: LogIndex, view: View, entry: str, cache: Cache) -> bool:
    """Whether a cache like *cache* is on record under *entry*, or under a name that it had."""
    stack = view.state.stack
    first = log.first_name(stack, entry)
    for name, record in view.state.caches.items():
        other = log.caches.get(record.id)
        if other and (name == entry or log.first_name(stack, name) == first):
            return _is_alike(other, cache)
    return False


def _is_alike(cache: Cache, other: Cache) -> bool:
    mine, theirs = cache.created, other.created
    return mine.content == theirs.content and mine.model == theirs.model


def _is_approved(log: LogIndex, run: Run, entry: str, cache: Cache, position: int) -> bool:
    content, approved = cache.created.content, run.begun.approved
    if entry in approved:
        return approved[entry] == content
    return run.begun.approves and any(
        declared.content == content and _plain(declared.model) == _plain(cache.created.model)
        for texts in log.declared(run, position)
        if (declared := texts.entries.get(entry))
    )


def _may_remove(log: LogIndex, run: Run, entry: str, position: int) -> bool:
    if run.begun.operation == "destroy":
        return True
    if entry in run.begun.approved:
        return run.begun.approved[entry] is None
    return run.begun.approves and any(
        entry not in texts.entries for texts in log.declared(run, position)
    )


def _unapproved_records(log: LogIndex, run: Run) -> Iterator[Violation]:
    """What a run writes under a name, and what was there when it read."""
    if run.begun.operation not in _CHANGING:
        return
    before = StateDocument(stack=run.begun.stack, serial=0, caches={}, retiring={})
    for view in run.views:
        if view.is_written:
            yield from _unapproved_steps(log, run, before, view)
        before = view.state


def _unapproved_steps(
    log: LogIndex, run: Run, before: StateDocument, view: View
) -> Iterator[Violation]:
    after, position = view.state, view.position
    at = log.at(position)
    ids = {record.id for record in after.caches.values()}
    for name, record in before.caches.items():
        if name in after.caches or not record.id or record.id in ids:
            continue  # what moves keeps its id
        if not _may_remove(log, run, name, position):
            why = f"{record.id} went from the record without an approval"
            yield _unapproved(run, at, name, why)
    for name, record in after.caches.items():
        old, cache = before.caches.get(name), log.caches.get(record.id)
        is_same = old is not None and old.id == record.id
        if cache is None or is_same or before.names_of(cache.id) or cache.created.run == run.number:
            continue  # made by it: judged where it was made
        is_returned = old is None and cache.stack == after.stack
        is_claimed = old is None and (run.begun.approves or name in run.begun.approved)
        if not (is_returned or is_claimed or _may_have(log, run, name, cache, position)):
            why = f"{record.id} was adopted, whose content is neither on record nor approved"
            yield _unapproved(run, at, name, why)


def _why_not_ended(
    log: LogIndex, run: Run, cache: Cache, position: int, event: CachePatched | CacheDeleted
) -> str | None:
    """Why *run* may not cut the life of *cache* short."""
    view = run.view(position)
    names = view.names_of(cache.id)
    for name in names:
        if isinstance(event, CachePatched) and _is_own_life(log, run, name, position, event):
            return None
        if view.caches[name].settings.protect:
            return "is on record as protected, and was cut short"
        if not _may_remove(log, run, name, position):
            return "is what its entry has on record, and was cut short without an approval"
    is_settled = names or cache.id in view.retiring or cache.created.run == run.number
    if is_settled or run.begun.prunes or run.begun.operation == "destroy":
        return None
    is_free = cache.entry not in view.caches or _may_have(log, run, cache.entry, cache, position)
    if isinstance(event, CachePatched) and is_free:
        return None  # an adoption gives the life that is declared
    return "is a stray, and was cut short without --prune"


def _is_own_life(log: LogIndex, run: Run, name: str, position: int, event: CachePatched) -> bool:
    """Whether a PATCH asks for the life on record, or for a declared one that is approved."""
    asked = (event.expires_at if event.asked is None else event.asked) - event.at
    record = run.view(position).caches[name]
    lives = [seconds_in(record.life.ttl)] if record.life.ttl else []
    if run.begun.approves or name in run.begun.approved:
        texts = log.declared(run, position)
        lives += [entry.ttl for event in texts if (entry := event.entries.get(name))]
    return any(abs(asked - life) <= TOLERANCE for life in lives)


def _changes(
    log: LogIndex,
) -> Iterator[tuple[int, Cache, CachePatched | CacheDeleted, Run]]:
    """Each PATCH and DELETE that a run had carried out."""
    for position, event in enumerate(log.events):
        if isinstance(event, CachePatched | CacheDeleted) and event.run:
            yield position, log.caches[event.cache], event, log.runs[event.run]


# --- what is published and written -------------------------------------------------------------


def broken_handles(log: LogIndex) -> Iterator[Violation]:
    """
    A handle lives from its publication to its `expires_at` or `until`.

    Or until the stack publishes again, or may do so in another file: an application reads that.  It
    may end sooner where another hand deleted the cache or shortened its life, and where an edit, or
    a provider that grants less than it is asked for, gives the entry a shorter life: then the PATCH
    comes first, and no order of the two is safe.  Who was sent a wrong Date published wrong times,
    and who was misled by a LIST published what that showed.  A call may take effect after its run
    gave it up and ended: no lock holds it back.
    """
    published: dict[str, list[tuple[int, FileWritten, HandlesDocument]]] = defaultdict(list)
    for versions in log.files.values():
        for version in versions:
            if isinstance(version.document, HandlesDocument) and isinstance(
                version.event, FileWritten
            ):
                stack = version.document.stack
                published[stack].append((version.position, version.event, version.document))
    for documents in published.values():
        documents.sort(key=lambda document: document[0])
        yield from _broken(log, documents)


def _broken(
    log: LogIndex, documents: list[tuple[int, FileWritten, HandlesDocument]]
) -> Iterator[Violation]:
    reported = set()
    ends = [position for position, _, _ in documents[1:]] + [log.last + 1]
    for (position, event, document), following in zip(documents, ends, strict=True):
        run = log.runs.get(event.run)
        if run is None or log.is_misdated(run) or _has_just_lost(run, event.at):
            continue
        end = min(following, _given_up(log, document.stack, event.file, position))
        for entry, id_, until in document.promises():
            why = _why_broken(log, id_, position, end, until)
            cache = log.caches.get(id_)
            is_excused = _was_misled(run, cache) or _is_late_clock(run, cache, until)
            if why and id_ not in reported and not is_excused:
                reported.add(id_)
                at = max(event.at, cache.ended_at) if cache else event.at
                yield Violation(Rule.HANDLE_BROKEN, at, f"{id_} {why}", run.number, entry)


def _has_just_lost(run: Run, at: float) -> bool:
    """Whether a person ended the lock of *run* since it looked; it looks every ten seconds."""
    return any(fault.kind == "lock_ended" and 0 <= at - fault.at <= _FRESH for fault in run.faults)


def _is_late_clock(run: Run, cache: Cache | None, until: float) -> bool:
    """Whether a suspension hid from *run* by how much its clock is ahead: the Date came late."""
    has_stood = run.met("suspend_before") or run.met("suspend_after")
    return has_stood and cache is not None and until - cache.ended_at <= _UNSEEN


def _given_up(log: LogIndex, stack: str, file: str, position: int) -> int:
    """When, after *position*, a run began that may publish elsewhere: *file* is left as it is."""
    name = file.rpartition("/")[2]
    for run in log.runs_of(stack):
        places = {
            texts.publishes for texts in log.declared(run, log.last if run.end is None else run.end)
        }
        if run.begin > position and not all(map(name.startswith, places)):
            return run.begin
    return log.last + 1


def _was_misled(run: Run, cache: Cache | None) -> bool:
    """Whether a LIST showed *run* a cache after its end, or lagged, and so showed old lives."""
    if cache is None or cache.ended is None:
        return False
    return any(
        {*listed.alive} - {*listed.shown} or (at > cache.ended and cache.id in listed.shown)
        for at, listed in run.lists
    )


def _why_broken(log: LogIndex, id_: str, position: int, end: int, until: float) -> str | None:
    cache = log.caches.get(id_)
    if cache is None:
        return "was published and never made"
    if cache.ended is None or cache.ended >= end or cache.ended_at >= until - TOLERANCE:
        return None
    is_clamped = cache.ended_by is None and cache.lives[-1].is_clamped
    if cache.has_foreign_end or is_clamped or _has_shorter_edit(log, cache, position):
        return None
    ender = log.runs.get(cache.ended_by) if cache.ended_by else None
    if ender and ender.end is not None and ender.end < cache.ended:
        return None  # the call was on its way when its run gave it up
    if ender and any(
        fault.kind == "suspend_before" and fault.phase in {"retire", "refresh"}
        for fault in ender.faults
    ):
        return None  # or when its machine was suspended, which sent it later
    what = "when it was published" if cache.ended < position else "at"
    return f"had ended {what} {cache.ended_at:.0f} s, and was published until {until:.0f} s"


def _has_shorter_edit(log: LogIndex, cache: Cache, position: int) -> bool:
    """Whether the last life of *cache*, given since *position*, is a declared one."""
    life = cache.lives[-1]
    run = log.runs.get(life.run)
    if run is None or life.position < position or cache.ended_by is not None:
        return False
    declared = (texts.entries.values() for texts in log.declared(run, life.position))
    return any(
        entry.content == cache.created.content and abs(life.granted - entry.ttl) <= TOLERANCE
        for entries in declared
        for entry in entries
    )


def blind_writes(log: LogIndex) -> Iterator[Violation]:
    """
    A write replaces the version that its run read or wrote last, and so does a deletion.

    Of states, handles and histories; of a state, which is read under its lock, the version that it
    read first or wrote last.  A server of states knows no conditions: what a person does
    there between a look and a write stays unseen.  And the loser of a lock writes no state once its
    taker has acted by what it read there.  A lease may be taken that is free, or that has not
    changed for a term.
    """
    seen: dict[tuple[int, FileKey], str | None] = {}
    read_at: dict[tuple[int, FileKey], int] = {}
    writers: dict[FileKey, int] = {}
    for position, event in enumerate(log.events):
        if not isinstance(event, FileRead | FileWritten | FileDeleted):
            continue
        key = (event.store, event.file)
        if event.run == 0 or is_lease(event.file) or event.file.endswith(_PROBE):
            writers[key] = event.run
            continue
        if not isinstance(event, FileRead):
            replaced = event.replaced if isinstance(event, FileWritten) else event.version
            has_seen = replaced is None or seen.get((event.run, key)) == replaced
            if not has_seen and not (key in log.locks and writers.get(key) == 0):
                why = f"{event.file} was changed at {replaced}, which this run had not read"
                yield _blind(event, why)
            elif key in log.state_files and (other := _actor(log, event.run, key, position, seen)):
                why = f"{event.file} was changed after run {other} had acted by it"
                yield _blind(event, why)
            writers[key] = event.run
        elif key in log.state_files and writers.get(key) != event.run:
            if log.runs[event.run].locked < read_at.get((event.run, key), 0):
                continue  # it builds on what it read under its lock, not on what others wrote since
            read_at[event.run, key] = position
        is_gone = isinstance(event, FileDeleted)
        seen[event.run, key] = None if is_gone else event.version
    yield from _stolen_leases(log)


def _stolen_leases(log: LogIndex) -> Iterator[Violation]:
    for (_, file), versions in log.files.items():
        for before, version in pairwise(versions if is_lease(file) else ()):
            old, new = before.document, version.document
            if not isinstance(old, LeaseDocument) or not isinstance(new, LeaseDocument):
                continue  # lost or torn
            age = version.event.at - before.event.at
            if version.event.run and not old.free and new.id != old.id and age < _TERM:
                why = f"{file} was taken {age:.0f} s after its owner had written it"
                yield _blind(version.event, why)


def _blind(event: FileWritten | FileDeleted, sentence: str) -> Violation:
    return Violation(Rule.BLIND_WRITE, event.at, sentence, event.run)


def _actor(
    log: LogIndex,
    number: int,
    key: FileKey,
    position: int,
    seen: dict[tuple[int, FileKey], str | None],
) -> int | None:
    """Another run that took the lock, and is done or has made caches by the replaced version."""
    stack, event = log.state_files[key], log.events[position]
    replaced = event.replaced if isinstance(event, FileWritten) else None
    mine = log.runs[number]
    for run in log.runs_of(stack):
        if run is mine or not mine.locked < run.locked < position:
            continue
        if replaced is not None and seen.get((run.number, key)) == replaced:
            read = max(view.position for view in run.views if view.position < position)
            is_over = run.end is not None and run.end < position
            if is_over and run.is_done and run.locked < read:
                return run.number
            if not is_over and any(read < cache.born < position for cache in run.creations):
                return run.number
    return None


# --- how long caches live ----------------------------------------------------------------------


def cold_caches(log: LogIndex) -> Iterator[Violation]:
    """
    A cache that is to be kept warm never expires if a run came within its window.

    The window is the last third of the life that was granted, or what `refresh_before` says.  A run
    of `apply` or `keepalive` came, if it began in it, had the cache on record, and ended before the
    expiry: done; or, of the schedule, with any outcome that no fault explains.  The excuses are a
    fault that met the run, its death, a lock that another run held, a wrong Date, and a life that
    another hand cut short.

    Nor does a run end done and leave an entry cold of which a PATCH or GET was answered that it is
    not there, or that was cold when it began: unless the cache was deleted or cut short and a LIST
    that lagged or lied showed it, or its checkout does not have the content any more.
    """
    for cache in log.caches.values():
        if cache.ended is not None and cache.ended_by is None and cache.lives[-1].run != 0:
            yield from _let_expire(log, cache, cache.ended, cache.lives[-1])
    for run in log.runs.values():
        if run.is_done and run.is_keeping and not log.is_misdated(run):
            yield from _left_cold(log, run)


def _let_expire(log: LogIndex, cache: Cache, end: int, life: Life) -> Iterator[Violation]:
    for stack in log.states:
        state = log.state(stack, end)
        for name in state.names_of(cache.id):
            record = state.caches[name]
            opened = cache.ended_at - record.settings.window(life.granted) + TOLERANCE
            runs = (run for run in log.runs_of(stack) if run.begun.at >= opened)
            run = next((run for run in runs if _had_to_refresh(log, run, cache, end)), None)
            if record.is_kept_warm and run:
                why = (
                    f"{cache.id} expired {cache.ended_at - run.begun.at:.0f} s after the run began"
                )
                yield Violation(Rule.WENT_COLD, cache.ended_at, why, run.number, name)


def _had_to_refresh(log: LogIndex, run: Run, cache: Cache, end: int) -> bool:
    if not run.is_keeping or run.end is None or run.end > end or log.is_misdated(run):
        return False
    if not run.view(end).names_of(cache.id):
        return False
    if run.is_done:
        return True
    is_locked_out = "StateLocked" in f"{run.outcome} {run.detail}"
    is_excused = run.has_met_fault or run.outcome == "killed" or is_locked_out
    return run.begun.is_scheduled and not is_excused


def _left_cold(log: LogIndex, run: Run) -> Iterator[Violation]:
    end = log.last if run.end is None else run.end
    for name, record in run.view(end).caches.items():
        cache = log.caches.get(record.id)
        if not record.is_kept_warm or cache is None or cache.ended is None:
            continue
        is_cut_off = cache.ended_by is not None or cache.has_foreign_end
        was_shown = is_cut_off and any(cache.id in listed.shown for _, listed in run.lists)
        is_plain = cache.id in run.gone or (cache.ended < run.begin and not was_shown)
        is_at_hand = all(
            cache.created.content in {entry.content for entry in texts.entries.values()}
            for texts in log.declared(run, end)
        )
        if is_plain and is_at_hand:
            why = f"{cache.id} had ended for this run, which is done and leaves it on record"
            yield Violation(Rule.WENT_COLD, log.at(end), why, run.number, name)


def rents(log: LogIndex) -> Iterator[Violation]:
    """
    What is paid for is the declared life of each entry, its overlaps, and logged twins.

    So no run gives a cache a longer life than its entry ever declared.  When a run is done, what is
    retiring ends within `retire_after` of it, and what is alive beside the record is explained
    (`_is_explained`; what lives to the end is left to `NOT_CONVERGED`).  And a run that is done has
    looked for the caches of its own lost answers, and shortened the lives of those that showed.
    """
    yield from _long_lives(log)
    last = {run.number for run in _last_clean(log)}
    reported: set[str] = set()
    for run in log.runs.values():
        if run.is_done and run.begun.operation in _CHANGING and run.end is not None:
            leaks = (*_overlaps(log, run, run.end), *_own_twins(log, run, run.end))
            if run.number not in last:
                leaks += (*_leaks(log, run, run.end),)
            for cache, why in leaks:
                if cache.id not in reported:
                    reported.add(cache.id)
                    yield _of(
                        cache, Rule.TOO_MUCH_RENT, log.at(run.end), f"{cache.id} {why}", run.number
                    )


def _long_lives(log: LogIndex) -> Iterator[Violation]:
    longest: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for (_, stack), texts in log.texts.items():
        for position, event in texts:
            for name, entry in event.entries.items():
                longest[stack, log.first_name(stack, name)].append((position, entry.ttl))
    for cache in log.caches.values():
        declared = longest.get((cache.stack, log.first_name(cache.stack, cache.entry)), [])
        for life in cache.lives:
            lives = [ttl for position, ttl in declared if position < life.position]
            if life.run and lives and life.granted > max(lives) + TOLERANCE:
                why = f"{cache.id} was given {life.granted:.0f} s, of {max(lives):.0f}"
                yield _of(cache, Rule.TOO_MUCH_RENT, life.at, why, life.run)


def _overlaps(log: LogIndex, run: Run, end: int) -> Iterator[tuple[Cache, str]]:
    at, view = log.at(end), run.view(end + 1)
    misdated = [other for other in log.runs_of(run.begun.stack) if log.is_misdated(other)]
    for id_, retiring in view.retiring.items():
        cache = log.caches.get(id_)
        if cache is None or not cache.is_alive(end, at) or cache.life(end).run == 0:
            continue
        last = cache.life(end)
        if last.run != run.number and last.position > run.begin:
            continue  # another run has extended it, since its entry wants it again
        if any(id_ in other.view(end + 1).retiring for other in misdated):
            continue  # a wrong Date made it seem to end in time
        most = seconds_in(retiring.retire_after)
        if cache.life(end).expires_at > at + most + TOLERANCE:
            left = cache.life(end).expires_at - at
            yield cache, f"is retiring, and lives {left:.0f} s longer, of {most:.0f}"


def _leaks(log: LogIndex, run: Run, end: int) -> Iterator[tuple[Cache, str]]:
    still = {
        cache.id
        for last in _last_clean(log)
        if last.end
        for cache in _strays(log, run.begun.stack, last.end)
    }
    for cache in _strays(log, run.begun.stack, end):
        if cache.id not in still and not _is_explained(log, cache, end):
            yield cache, "is alive beside the record, and no fault explains it"


def _own_twins(log: LogIndex, run: Run, end: int) -> Iterator[tuple[Cache, str]]:
    """What a run made without an answer; one that was stopped does not look."""
    if run.met("signal"):
        return
    view, at = run.view(end + 1), log.at(end)
    for cache in run.creations:
        when, answer = log.answers.get(cache.created.request, (end, None))
        if answer is None or answer.is_delivered or view.promise(cache.id) is not None:
            continue
        if (
            not cache.is_alive(end, at)
            or len(cache.lives) > 1
            or cache.life(end).expires_at <= at + _SURPLUS
        ):
            continue
        later = (other.born for other in run.creations if other is not cache and other.born > when)
        last = max(later, default=when)
        shown = any(cache.id in listed.shown for position, listed in run.lists if position > last)
        if shown:
            yield cache, "is a twin that its run made without an answer, saw, and left"
        elif not any(look > last for look in (*run.looks, *(entry[0] for entry in run.lists))):
            yield cache, "is a twin that its run made without an answer and did not look for"


# --- how runs end ------------------------------------------------------------------------------


def crashes(log: LogIndex) -> Iterator[Violation]:
    """A run ends, and its errors are documented ones."""
    for run in log.runs.values():
        if run.ended is None:
            why = f"{run.begun.operation} never ended"
            yield Violation(Rule.CRASHED, run.begun.at, why, run.number)
        elif run.outcome not in _ORDERLY:
            why = f"{run.begun.operation} ended with {run.outcome}: {run.detail}"
            yield Violation(Rule.CRASHED, run.ended.at, why, run.number)


def _plain(model: str) -> str:
    """A model without the folder that the wire puts before it."""
    return model.removeprefix("models/")


_RULES: Sequence[Callable[[LogIndex], Iterator[Violation]]] = (
    needless_creates,
    unconverged,
    creates_in_last,
    locks_left,
    drafts_left,
    foreign_changes,
    unapproved,
    broken_handles,
    blind_writes,
    cold_caches,
    rents,
    crashes,
)
