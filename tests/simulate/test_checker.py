"""The checker finds each rule broken in a log that breaks it, and nothing in a log that is well."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulate import checker, log_index
from tests.simulate.checker import Rule, check
from tests.simulate.log_builder import HOUR, LogBuilder

_MINUTE = 60.0


def rules(log: LogBuilder) -> list[tuple[Rule, str | None]]:
    return [(violation.rule, violation.entry) for violation in check(log.events)]


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
