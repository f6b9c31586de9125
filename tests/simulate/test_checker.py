"""The checker finds each rule broken in a log that breaks it, and nothing in a log that is well."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from enum import StrEnum, auto
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.simulate import checker, log_index
from tests.simulate.checker import Rule, check
from tests.simulate.log import (
    CacheCreated,
    CacheDeleted,
    CacheExpired,
    CachePatched,
    CachesListed,
    RunBegun,
    WorldEvent,
)
from tests.simulate.log_builder import HOUR, LogBuilder

_MINUTE = 60.0


def started(**options: object) -> LogBuilder:
    """A stack of two entries that was applied once."""
    log = LogBuilder()
    log.declare(faq="faq 1", manual="manual 1", options=options)
    log.apply()
    return log


# --- what is well ------------------------------------------------------------------------------


def unchanged(log: LogBuilder) -> None:
    log.apply()


def refresh(log: LogBuilder) -> None:
    for _ in range(5):
        log.wait(2.2 * HOUR)
        log.keepalive()


def replacement(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.apply()
    log.wait(2 * HOUR)
    log.keepalive()


def revert_to_what_is_retiring(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.apply()
    log.declare(faq="faq 1", manual="manual 1")
    log.apply()


def revert_to_what_has_ended(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.apply()
    log.wait(2.2 * HOUR)
    log.keepalive()
    log.declare(faq="faq 1", manual="manual 1")
    log.apply()


def removed_entry(log: LogBuilder) -> None:
    log.declare(manual="manual 1")
    log.apply()


def removed_and_returned(log: LogBuilder) -> None:
    log.declare(manual="manual 1")
    log.apply()
    log.wait(2.2 * HOUR)
    log.keepalive()
    log.declare(faq="faq 1", manual="manual 1")
    log.apply()


def lost_state(log: LogBuilder) -> None:
    log.lose("bot.json")
    log.apply()


def foreign_delete(log: LogBuilder) -> None:
    log.foreign_delete(log.records["bot"]["faq"])
    log.keepalive()


def lost_answer(log: LogBuilder) -> None:
    """It is adopted by the run itself."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    made = log.make("faq", is_lost=True)
    log.wait(1)
    log.look()
    log.record("faq", made)
    log.finish()


def late_create(log: LogBuilder) -> None:
    """It shows only after the second create, and the run retires it."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    request = log.post("faq")
    twin = next(reversed(log.ids))
    log.answer(request, is_lost=True)
    log.wait(1)
    log.look(hides=(twin,))
    log.record("faq", log.make("faq"))
    log.look()
    log.patch(twin, HOUR)
    log.retiring["bot"][twin] = ("faq", log.at + HOUR)
    log.finish()


def overrun_create(log: LogBuilder) -> None:
    """The provider finishes it after the second create, and the run retires it."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    request = log.send()
    log.answer(request, is_lost=True)
    log.wait(1)
    log.look()
    log.record("faq", log.make("faq"))
    log.post("faq", request=request)
    twin = next(reversed(log.ids))
    log.look()
    log.patch(twin, HOUR)
    log.retiring["bot"][twin] = ("faq", log.at + HOUR)
    log.finish()


def hidden_twin(log: LogBuilder) -> None:
    """It never shows to its run, and is a logged twin until it expires."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    twin = log.make("faq", is_lost=True)
    log.wait(1)
    log.look(hides=(twin,))
    log.record("faq", log.make("faq"))
    log.look(hides=(twin,))
    log.finish()


def doubled_create(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    request = log.post("faq")
    log.post("faq", request=request)
    log.answer(request)
    log.record("faq", next(reversed(log.ids)))
    log.finish()


def killed_run(log: LogBuilder) -> None:
    """The next one adopts what it made."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    log.make("faq")
    log.fault("kill_after")
    log.end("killed")
    log.apply()


def lagging_list(log: LogBuilder) -> None:
    """What a killed run made is not on record and not listed, so it is made again."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()
    made = log.make("faq")
    log.fault("kill_after")
    log.end("killed")
    log.begin()
    log.look(hides=(made,))
    log.record("faq", log.make("faq"))
    log.finish()


def two_runs_at_work(log: LogBuilder) -> None:
    """A suspended run wakes after another one took its lock; its state is refused."""
    log.declare(faq="faq 2", manual="manual 1")
    slow = log.begin()
    log.look()
    log.fault("suspend_before")
    log.wait(3 * _MINUTE)
    log.apply()
    quick, log.run = log.run, slow
    log.make("faq")
    log.end("failed", run=slow)
    log.run = quick


def replaced_on_request(log: LogBuilder) -> None:
    log.begin(replaces=("faq",))
    log.look()
    log.record("faq", log.make("faq"))
    log.finish()


def expired_while_no_run_came(log: LogBuilder) -> None:
    log.wait(5 * HOUR)
    log.keepalive()


def shorter_life(log: LogBuilder) -> None:
    log.declare(faq="faq 1", manual="manual 1", options={"ttl": HOUR})
    log.begin()
    log.look()
    for cache in log.records["bot"].values():
        log.patch(cache, HOUR)
    log.fault("kill_after")
    log.end("killed")
    log.wait(2 * HOUR)


def clamped_life(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin("keepalive", is_scheduled=True)
    log.look()
    for cache in log.records["bot"].values():
        log.patch(cache, 0.3 * HOUR, asked=3 * HOUR)
    log.finish()


def rename(log: LogBuilder) -> None:
    log.declare(questions="faq 1", manual="manual 1", moved={"faq": "questions"})
    log.begin()
    log.look()
    log.records["bot"]["questions"] = log.records["bot"].pop("faq")
    log.finish()
    log.wait(5 * HOUR)
    log.apply()


def renamed_before(log: LogBuilder) -> None:
    """Another entry may have the old name and the old content."""
    rename(log)
    log.declare(questions="faq 1", faq="faq 1", manual="manual 1")
    log.apply()


def partial_approval(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 2")
    log.begin(approves=False, approved={"faq": "faq 2"})
    log.look()
    log.ensure("faq", "faq 2")
    log.finish()
    log.declare(faq="faq 2", manual="manual 1")


def imported(log: LogBuilder) -> None:
    log.run = 0
    log.post("notes", "notes 1", label="by hand", ttl=3 * HOUR)
    notes = next(reversed(log.ids))
    log.declare(faq="faq 1", manual="manual 1", notes="notes 1", options={"adopts": notes})
    log.begin()
    log.look()
    log.patch(notes, 3 * HOUR)
    log.record("notes", notes)
    log.finish()


def two_stacks(log: LogBuilder) -> None:
    log.declare("shop", checkout="shop", faq="faq 1")
    log.apply("shop", checkout="shop")
    log.wait(2.2 * HOUR)
    log.keepalive("shop", checkout="shop")
    log.keepalive("bot")


def locked_out(log: LogBuilder) -> None:
    """A run that another one locks out is the reason why a cache goes cold."""
    log.wait(2.2 * HOUR)
    log.begin("keepalive", is_scheduled=True)
    log.end("error", "StateLocked: another run has it")
    log.wait(2 * HOUR)
    log.keepalive()


def outage(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin("keepalive", is_scheduled=True)
    log.fault("provider_outage")
    log.end("error", "NetworkError: no answer")
    log.wait(2 * HOUR)
    log.keepalive()


def pruned(log: LogBuilder) -> None:
    hidden_twin(log)
    twin = next(cache for cache in log.ends if log.ids[cache].content == "faq 2")
    log.begin(prunes=True)
    log.look()
    log.delete(twin)
    log.finish()


def history(log: LogBuilder) -> None:
    log.begin()
    runs = [{"run": "run-x", "outcome": "unfinished", "kept": 1}]
    log.write("bot.history/1.json", log.state())
    log.write("bot.history/runs.json", {"stack": "bot", "runs": runs})
    log.fault("kill_after")
    log.end("killed")
    log.begin()
    log.read("bot.history/runs.json")
    runs.append({"run": "run-y", "outcome": "Applied: 0 done.", "kept": 1})
    log.write("bot.history/runs.json", {"stack": "bot", "runs": runs})
    log.write("ctxprov-probe.json", {})
    log.look()
    log.finish()


WELL = (
    unchanged,
    refresh,
    replacement,
    revert_to_what_is_retiring,
    revert_to_what_has_ended,
    removed_entry,
    removed_and_returned,
    lost_state,
    foreign_delete,
    lost_answer,
    late_create,
    overrun_create,
    hidden_twin,
    doubled_create,
    killed_run,
    lagging_list,
    two_runs_at_work,
    replaced_on_request,
    expired_while_no_run_came,
    shorter_life,
    clamped_life,
    rename,
    renamed_before,
    partial_approval,
    imported,
    two_stacks,
    locked_out,
    outage,
    pruned,
    history,
)


@pytest.mark.parametrize("story", WELL)
def test_what_is_well_breaks_no_rule(story: Callable[[LogBuilder], None]) -> None:
    """A log in which runs do what they may, under faults, breaks no rule."""
    log = started()
    story(log)
    log.clean()

    assert check(log.events) == []


# --- what is broken ----------------------------------------------------------------------------

Story: TypeAlias = Callable[[LogBuilder], None]
BROKEN: list[tuple[Rule, Story]] = []


def breaks(rule: Rule) -> Callable[[Story], Story]:
    """Of a story that breaks *rule*, and no other."""

    def note(story: Story) -> Story:
        BROKEN.append((rule, story))
        return story

    return note


@breaks(Rule.NEEDLESS_CREATE)
def made_while_on_record(log: LogBuilder) -> None:
    log.begin("keepalive")
    log.look()
    log.record("faq", log.make("faq"))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def sent_again_without_a_look(log: LogBuilder) -> None:
    _lose_an_answer(log)
    log.record("faq", log.make("faq"))
    log.look(hides=(_twin(log),))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def sent_again_although_listed(log: LogBuilder) -> None:
    _lose_an_answer(log)
    log.look()
    log.record("faq", log.make("faq"))
    log.look(hides=(_twin(log),))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def sent_again_although_answered(log: LogBuilder) -> None:
    _edit(log)
    log.make("faq")
    log.record("faq", log.make("faq"))
    log.retiring["bot"][_twin(log)] = ("faq", log.at + HOUR)
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def listed_too_soon(log: LogBuilder) -> None:
    _edit(log)
    log.tick = 0.2
    request = log.send()
    log.answer(request, is_lost=True)
    log.look()
    log.post("faq", request=request)
    log.record("faq", log.make("faq"))
    log.look(hides=(_twin(log),))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def not_asked_for_by_get(log: LogBuilder) -> None:
    """A LIST that lies excuses nothing of what is on record."""
    log.begin("keepalive")
    log.look(hides=(log.records["bot"]["faq"],))
    log.record("faq", log.make("faq"))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def taken_from_a_live_run(log: LogBuilder) -> None:
    """Two runs work at once, and no fault cost the first one its lock."""
    _edit(log)
    slow = log.run
    log.apply()
    quick, log.run = log.run, slow
    log.make("faq")
    log.end("failed", run=slow)
    log.run = quick
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def once_made_twice(log: LogBuilder) -> None:
    log.declare(faq="faq 1", manual="manual 1", options={"is_warm": False})
    log.apply()
    log.wait(5 * HOUR)
    log.begin()
    log.look()
    log.record("faq", log.make("faq"))
    log.finish()
    log.clean()


@breaks(Rule.NEEDLESS_CREATE)
def returned_while_it_is_retiring(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.apply()
    log.declare(faq="faq 1", manual="manual 1")
    log.begin()
    log.look()
    log.record("faq", log.make("faq"))
    log.finish()
    log.clean()


def _edit(log: LogBuilder) -> None:
    """The text of one entry changes, and a run that is approved has listed."""
    log.declare(faq="faq 2", manual="manual 1")
    log.begin()
    log.look()


def _lose_an_answer(log: LogBuilder) -> None:
    _edit(log)
    log.make("faq", is_lost=True)
    log.wait(1)


def _twin(log: LogBuilder) -> str:
    """The cache of the edited text that was made first."""
    return next(cache for cache, made in log.ids.items() if made.content == "faq 2")


@breaks(Rule.NOT_CONVERGED)
def declared_and_not_made(log: LogBuilder) -> None:
    _clean_but(log, lambda: log.declare(faq="faq 1", manual="manual 1", new="new 1"))


@breaks(Rule.NOT_CONVERGED)
def declared_otherwise(log: LogBuilder) -> None:
    _clean_but(log, lambda: log.declare(faq="faq 2", manual="manual 1"))


@breaks(Rule.NOT_CONVERGED)
def declared_for_another_model(log: LogBuilder) -> None:
    options = {"model": "gemini-3.6-flash"}
    _clean_but(log, lambda: log.declare(faq="faq 1", manual="manual 1", options=options))


@breaks(Rule.NOT_CONVERGED)
def declared_no_more(log: LogBuilder) -> None:
    _clean_but(log, lambda: log.declare(manual="manual 1"))


@breaks(Rule.NOT_CONVERGED)
def dead_on_record(log: LogBuilder) -> None:
    log.calm()
    log.apply(clean=1)
    log.begin(clean=2)
    log.look()
    log.foreign_delete(log.records["bot"]["faq"])
    log.finish()


@breaks(Rule.NOT_CONVERGED)
def clean_and_failed(log: LogBuilder) -> None:
    log.calm()
    log.begin(clean=1)
    log.end("failed")
    log.apply(clean=2)


@breaks(Rule.NOT_CONVERGED)
def alive_beside_the_record(log: LogBuilder) -> None:
    log.declare(faq="faq 1", manual="manual 1", new="new 1")
    log.begin()
    log.look()
    log.make("new")
    log.finish()
    log.declare(faq="faq 1", manual="manual 1")
    log.clean()


def _clean_but(log: LogBuilder, edit: Callable[[], None]) -> None:
    """The last clean run does nothing of an *edit* that came before it."""
    log.calm()
    log.apply(clean=1)
    edit()
    log.begin(clean=2)
    log.look()
    log.finish()


@breaks(Rule.CREATE_IN_LAST)
def deleted_before_the_last(log: LogBuilder) -> None:
    log.calm()
    log.apply(clean=1)
    log.foreign_delete(log.records["bot"]["faq"])
    log.apply(clean=2)


@breaks(Rule.CREATE_IN_LAST)
def expired_before_the_last(log: LogBuilder) -> None:
    log.calm()
    log.apply(clean=1)
    log.wait(5 * HOUR)
    log.apply(clean=2)


@breaks(Rule.CREATE_IN_LAST)
def edited_before_the_last(log: LogBuilder) -> None:
    log.calm()
    log.apply(clean=1)
    log.declare(faq="faq 2", manual="manual 1")
    log.apply(clean=2)


@breaks(Rule.LOCK_LEFT)
def lease_held(log: LogBuilder) -> None:
    log.clean()
    log.write("bot.lock.json", {"id": "run-3", "until": log.wire(log.at)})


@breaks(Rule.LOCK_LEFT)
def lease_torn(log: LogBuilder) -> None:
    log.clean()
    log.write("bot.lock.json", b'{"fre', run=0)


@breaks(Rule.LOCK_LEFT)
def server_locked(log: LogBuilder) -> None:
    log.lock("run-3")
    log.clean()


@breaks(Rule.DRAFT_LEFT)
def draft_of_a_write(log: LogBuilder) -> None:
    log.begin()
    log.write(".ctxprov-0123456789abcdef.tmp", b'{"caches":')
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.DRAFT_LEFT)
def file_of_no_kind(log: LogBuilder) -> None:
    log.begin()
    log.write("notes.txt", b"probe")
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.DRAFT_LEFT)
def unfinished_though_done(log: LogBuilder) -> None:
    log.begin()
    runs = [{"run": "run-x", "outcome": "unfinished", "kept": None}]
    log.write("bot.history/runs.json", {"stack": "bot", "runs": runs})
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.DRAFT_LEFT)
def version_that_is_not_named(log: LogBuilder) -> None:
    log.begin()
    runs = [{"run": "run-x", "outcome": "Applied: 0 done.", "kept": 2}]
    log.write("bot.history/1.json", log.state())
    log.write("bot.history/2.json", log.state())
    log.write("bot.history/runs.json", {"stack": "bot", "runs": runs})
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.FOREIGN_CHANGED)
def patched_by_another_stack(log: LogBuilder) -> None:
    log.declare("shop", checkout="shop", faq="faq 1")
    log.apply("shop", checkout="shop")
    log.begin()
    log.patch(log.records["shop"]["faq"], 3 * HOUR)
    log.end()
    log.clean()


@breaks(Rule.FOREIGN_CHANGED)
def deleted_without_a_label(log: LogBuilder) -> None:
    log.run = 0
    log.post("notes", "notes", label="by hand")
    log.begin(prunes=True)
    log.delete(next(reversed(log.ids)))
    log.end()
    log.clean()


@breaks(Rule.FOREIGN_CHANGED)
def claimed_from_another_record(log: LogBuilder) -> None:
    log.declare("shop", checkout="shop", notes="notes 1")
    log.apply("shop", checkout="shop")
    notes = log.records["shop"]["notes"]
    log.declare(faq="faq 1", manual="manual 1", options={"adopts": notes})
    log.begin()
    log.patch(notes, 3 * HOUR)
    log.end()
    log.clean()


@breaks(Rule.HANDLE_BROKEN)
def deleted_before_its_time(log: LogBuilder) -> None:
    _edit(log)
    log.ensure("faq", "faq 2")
    log.save()
    log.publish()
    log.delete(next(iter(log.retiring["bot"])))
    log.save()
    log.end()
    log.clean()


@breaks(Rule.HANDLE_BROKEN)
def retired_before_publishing(log: LogBuilder) -> None:
    _edit(log)
    log.ensure("faq", "faq 2")
    log.save()
    log.patch(next(iter(log.retiring["bot"])), 5 * _MINUTE)
    log.fault("kill_before")
    log.end("killed")
    log.wait(HOUR)
    log.clean()


@breaks(Rule.HANDLE_BROKEN)
def published_for_too_long(log: LogBuilder) -> None:
    log.ends[log.records["bot"]["faq"]] += 9 * HOUR
    log.begin()
    log.look()
    log.publish()
    log.end()
    log.ends[log.records["bot"]["faq"]] -= 9 * HOUR
    log.wait(5 * HOUR)
    log.clean()


@breaks(Rule.HANDLE_BROKEN)
def published_and_never_made(log: LogBuilder) -> None:
    log.ends["cachedContents/none"] = log.at + HOUR
    log.retiring["bot"]["cachedContents/none"] = ("faq", log.at + HOUR)
    log.begin()
    log.publish()
    log.end()
    del log.ends["cachedContents/none"], log.retiring["bot"]["cachedContents/none"]
    log.clean()


@breaks(Rule.BLIND_WRITE)
def overwritten_state(log: LogBuilder) -> None:
    slow = log.begin()
    log.look()
    log.apply()
    quick, log.run = log.run, slow
    log.save()
    log.end(run=slow)
    log.run = quick
    log.clean()


@breaks(Rule.BLIND_WRITE)
def overwritten_after_a_look(log: LogBuilder) -> None:
    """To read again what another run wrote is no ground to write over it."""
    slow = log.begin()
    log.look()
    log.apply()
    quick, log.run = log.run, slow
    log.read("bot.json")
    log.save()
    log.end(run=slow)
    log.run = quick
    log.clean()


@breaks(Rule.BLIND_WRITE)
def overwritten_handles(log: LogBuilder) -> None:
    log.begin()
    log.look()
    log.write("bot-handles.json", log.contents["bot-handles.json"])
    log.end()
    log.clean()


@breaks(Rule.BLIND_WRITE)
def overwritten_history(log: LogBuilder) -> None:
    history(log)
    log.begin()
    log.write("bot.history/runs.json", {"stack": "bot", "runs": []})
    log.end()
    log.clean()


@breaks(Rule.BLIND_WRITE)
def written_by_the_loser(log: LogBuilder) -> None:
    """Who took the lock has acted by the version that its loser replaces."""
    slow = log.begin()
    log.look()
    log.fault("suspend_before")
    log.wait(3 * _MINUTE)
    _edit(log)
    quick = log.run
    made = log.make("faq")
    log.run = slow
    log.save()
    log.end("failed", run=slow)
    log.run = quick
    log.read("bot.json")
    log.record("faq", made)
    log.finish()
    log.clean()


@breaks(Rule.BLIND_WRITE)
def written_once_the_taker_is_done(log: LogBuilder) -> None:
    """Who took the lock has settled that nothing is to be done."""
    slow = log.begin()
    log.look()
    log.fault("suspend_before")
    log.wait(3 * _MINUTE)
    log.begin()
    log.look()
    log.end()
    log.run = slow
    log.save()
    log.end("failed", run=slow)
    log.clean()


@breaks(Rule.BLIND_WRITE)
def taken_before_its_term(log: LogBuilder) -> None:
    """A lease that its owner has just written is taken."""
    log.begin("plan")
    log.end("killed")
    log.begin(waits=30)
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.UNAPPROVED)
def made_by_a_schedule(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 1")
    log.begin("keepalive")
    log.look()
    log.ensure("faq", "faq 2")
    log.finish()
    log.clean()


@breaks(Rule.UNAPPROVED)
def made_beyond_the_approval(log: LogBuilder) -> None:
    log.declare(faq="faq 2", manual="manual 2")
    log.begin(approves=False, approved={"faq": "faq 2"})
    log.look()
    log.ensure("faq", "faq 2")
    log.ensure("manual", "manual 2")
    log.finish()
    log.clean()


@breaks(Rule.UNAPPROVED)
def removed_by_a_schedule(log: LogBuilder) -> None:
    log.declare(manual="manual 1")
    log.begin("keepalive")
    log.look()
    log.finish(removed=["faq"])
    log.clean()


@breaks(Rule.UNAPPROVED)
def adopted_by_a_schedule(log: LogBuilder) -> None:
    _edit(log)
    log.make("faq")
    log.fault("kill_after")
    log.end("killed")
    log.begin("keepalive")
    log.look()
    log.ensure("faq", "faq 2")
    log.finish()
    log.clean()


@breaks(Rule.UNAPPROVED)
def pruned_without_asking(log: LogBuilder) -> None:
    hidden_twin(log)
    log.begin()
    log.look()
    log.delete(_twin(log))
    log.end()
    log.clean()


@breaks(Rule.UNAPPROVED)
def cut_short_on_record(log: LogBuilder) -> None:
    log.begin("keepalive")
    log.look()
    log.patch(log.records["bot"]["faq"], 1.5 * HOUR)
    log.finish()
    log.clean()


@breaks(Rule.UNAPPROVED)
def removed_though_protected(log: LogBuilder) -> None:
    log.declare(faq="faq 1", manual="manual 1", options={"is_protected": True})
    log.apply()
    log.declare(manual="manual 1")
    log.begin()
    log.look()
    log.publish(hidden=("faq",))
    log.patch(log.records["bot"]["faq"], HOUR)
    log.forget("faq")
    log.save()
    log.end()
    log.clean()


@breaks(Rule.WENT_COLD)
def not_refreshed(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin("keepalive")
    log.look()
    log.finish()
    log.wait(2 * HOUR)
    log.clean()


@breaks(Rule.WENT_COLD)
def not_refreshed_by_apply(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin()
    log.look()
    log.finish()
    log.wait(2 * HOUR)
    log.clean()


@breaks(Rule.WENT_COLD)
def failed_without_a_fault(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin("keepalive", is_scheduled=True)
    log.look()
    log.end("error", "StateError: no reason")
    log.wait(2 * HOUR)
    log.clean()


@breaks(Rule.WENT_COLD)
def left_cold(log: LogBuilder) -> None:
    log.foreign_delete(log.records["bot"]["faq"])
    log.begin("keepalive")
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.WENT_COLD)
def kept_on_record_though_gone(log: LogBuilder) -> None:
    """A LIST showed it, and its PATCH was answered that it is not there."""
    log.begin("keepalive")
    log.look()
    log.foreign_delete(log.records["bot"]["faq"])
    path = f"/v1beta/{log.records['bot']['faq']}"
    log.answer(log.send(), "PATCH", path, status=403)
    log.finish()
    log.clean()


@breaks(Rule.WENT_COLD)
def believed_against_its_expiry(log: LogBuilder) -> None:
    """A LIST that lags shows what has run out, and the record says when."""
    dead = log.records["bot"]["faq"]
    log.wait(5 * HOUR)
    log.begin("keepalive")
    log.look(shows=(dead,))
    log.finish()
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def lives_too_long(log: LogBuilder) -> None:
    log.wait(2.2 * HOUR)
    log.begin("keepalive")
    log.look()
    log.patch(log.records["bot"]["faq"], 30 * HOUR)
    log.patch(log.records["bot"]["manual"], 3 * HOUR)
    log.finish()
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def made_for_too_long(log: LogBuilder) -> None:
    _edit(log)
    log.record("faq", log.make("faq", ttl=4 * HOUR))
    log.finish()
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def not_retired(log: LogBuilder) -> None:
    _edit(log)
    log.ensure("faq", "faq 2")
    log.save()
    log.publish()
    log.end()
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def forgotten(log: LogBuilder) -> None:
    log.declare(faq="faq 1", manual="manual 1", new="new 1")
    log.begin()
    log.look()
    log.make("new")
    log.finish()
    log.declare(faq="faq 1", manual="manual 1")
    log.wait(5 * HOUR)
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def twin_left(log: LogBuilder) -> None:
    _lose_an_answer(log)
    log.look(hides=(_twin(log),))
    log.record("faq", log.make("faq"))
    log.look()
    log.finish()
    log.clean()


@breaks(Rule.TOO_MUCH_RENT)
def twin_not_looked_for(log: LogBuilder) -> None:
    _lose_an_answer(log)
    log.look(hides=(_twin(log),))
    log.record("faq", log.make("faq"))
    log.finish()
    log.clean()


@breaks(Rule.CRASHED)
def never_ended(log: LogBuilder) -> None:
    log.begin("plan")
    log.write("bot.lock.json", {"free": True, "id": f"run-{log.run}"})
    log.clean()


@breaks(Rule.CRASHED)
def ended_with_a_bug(log: LogBuilder) -> None:
    log.begin()
    log.end("KeyError", "'faq'")
    log.clean()


@breaks(Rule.CRASHED)
def ended_with_a_foreign_error(log: LogBuilder) -> None:
    log.begin("keepalive", is_scheduled=True)
    log.fault("dropped")
    log.end("ReadError")
    log.clean()


@pytest.mark.parametrize(("rule", "story"), BROKEN)
def test_a_broken_rule_is_named_and_no_other(rule: Rule, story: Story) -> None:
    """A log that breaks one rule makes the checker name that rule alone."""
    log = started()
    story(log)

    violations = check(log.events)

    assert {violation.rule for violation in violations} == {rule}, violations


def test_each_rule_is_broken_in_three_ways() -> None:
    """Each rule has three logs or more that break it."""
    counts = Counter(rule for rule, _ in BROKEN)

    assert {rule for rule in Rule if counts[rule] < 3} == set()  # three ways


# --- what is drawn -----------------------------------------------------------------------------


class Act(StrEnum):
    EDIT = auto()
    REVERT = auto()
    REPLACE = auto()
    KEEP = auto()
    WAIT = auto()
    WAIT_LONG = auto()
    DELETE = auto()
    LOSE = auto()


def played(acts: list[Act]) -> LogBuilder:
    """A stack to which all of that happened, one after the other, and then clean runs."""
    log = started()
    for number, act in enumerate(acts, 2):
        _play(log, act, number)
    log.clean()
    return log


def _play(log: LogBuilder, act: Act, number: int) -> None:
    match act:
        case Act.EDIT:
            log.declare(faq=f"faq {number}", manual="manual 1")
            log.apply()
        case Act.REVERT:
            log.declare(faq="faq 1", manual="manual 1")
            log.apply()
        case Act.REPLACE:
            log.begin(replaces=("faq",))
            log.look()
            log.record("faq", log.make("faq"))
            log.ensure("manual", "manual 1")
            log.finish()
        case Act.KEEP:
            log.keepalive()
        case Act.WAIT | Act.WAIT_LONG:
            log.wait(2.2 * HOUR if act is Act.WAIT else 5 * HOUR)
        case Act.DELETE:
            alive = [cache for cache in log.records["bot"].values() if cache in log.ends]
            for cache in alive[:1]:
                log.foreign_delete(cache)
        case Act.LOSE if log.records["bot"]:
            log.lose("bot.json")
            log.apply()
        case _:
            pass


def without_reason(events: list[WorldEvent], create: int) -> list[WorldEvent] | None:
    """The log without what made that create necessary; None if it was the first."""
    made = events[create]
    assert isinstance(made, CacheCreated)
    earlier = [
        event.cache
        for event in events[:create]
        if isinstance(event, CacheCreated)
        and (event.label, event.content) == (made.label, made.content)
    ]
    if not earlier:
        return None
    return [
        changed
        for event in events
        if (changed := _lasting(event, earlier[-1], run=made.run)) is not None
    ]


def _lasting(event: WorldEvent, cache: str, *, run: int) -> WorldEvent | None:
    """*event* as it is where *cache* never ends, and *run* was not asked to make it again."""
    match event:
        case CacheDeleted(cache=id_) | CacheExpired(cache=id_) if id_ == cache:
            return None
        case CacheCreated(cache=id_) | CachePatched(cache=id_) if id_ == cache:
            return replace(event, expires_at=1e9)
        case CachesListed(run=number) if number == run:
            return replace(event, shown=(*event.shown, cache), alive=(*event.alive, cache))
        case RunBegun(run=number) if number == run:
            return replace(event, replaces=())
        case _:
            return event


@given(acts=st.lists(st.sampled_from(Act), max_size=12))
@settings(max_examples=60)
def test_what_good_runs_do_breaks_no_rule(acts: list[Act]) -> None:
    """Good runs break no rule, and people and time do much between them."""
    assert check(played(acts).events) == []


@given(acts=st.lists(st.sampled_from(Act), max_size=8))
@settings(max_examples=60)
def test_a_create_without_its_reason_is_needless(acts: list[Act]) -> None:
    """Where its reason is taken away, a create that was well breaks the rule."""
    events = played(acts).events
    for position, event in enumerate(events):
        if isinstance(event, CacheCreated) and (changed := without_reason(events, position)):
            needless = [
                violation.run
                for violation in check(changed)
                if violation.rule is Rule.NEEDLESS_CREATE
            ]

            assert event.run in needless


def test_the_checker_knows_nothing_of_what_it_checks() -> None:
    """Neither the checker nor its index imports `provisioner`, and of tests only the log."""
    for module in (checker, log_index):
        for node in ast.walk(ast.parse(Path(module.__file__ or "").read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("provisioner")
                assert name in {"tests.simulate.log", "tests.simulate.log_index"} or not (
                    name.startswith("tests")
                )
