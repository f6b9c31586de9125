"""
The story of a world for a person: its steps, its faults and what came of them, in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from tests.simulate import log
from tests.simulate.scenario import Scenario

_LONGEST = 48


def story_of(scenario: Scenario, events: Iterable[log.WorldEvent]) -> Iterator[str]:
    """Spell *scenario* and what happened in it, a line for each event that matters."""
    yield f"Seed {scenario.seed}: {len(scenario.runs)} runs, {len(scenario.faults)} faults."
    for name, runner in scenario.runners.items():
        yield f"  runner {name}: its clock is {runner.offset:+g} s off, drifting {runner.drift:+g}"
    for name, checkout in scenario.checkouts.items():
        environments = f", environments {', '.join(checkout.environments)}"
        declared = environments if checkout.environments else ""
        yield f"  checkout {name}: stack {checkout.stack}, state at {checkout.state}{declared}"
    for event in events:
        if sentence := _sentence(event):
            yield f"{_clock(event.at)}  {sentence}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(int(minutes), 60)
    return f"{hours:3}:{minute:02}:{second:06.3f}"


def _brief(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _by(run: int) -> str:
    return f"run {run}" if run else "another program"


def _sentence(event: log.WorldEvent) -> str | None:
    match event:
        case log.TextsChanged():
            entries = ", ".join(
                f"{name}: {_brief(entry.content)!r} for {entry.ttl:g} s"
                for name, entry in event.entries.items()
            )
            return f"checkout {event.checkout} declares for {event.stack}: {entries}"
        case log.RunBegun():
            return f"run {event.run} begins: {event.operation} of {event.stack} on {event.runner}"
        case log.RunEnded():
            return f"run {event.run} ends: {event.outcome} {event.detail}".rstrip()
        case log.FaultHappened():
            of = f" in run {event.run}" if event.run else ""
            return f"FAULT {event.kind} in the phase {event.phase}{of} {event.detail}".rstrip()
        case log.FaultsEnded():
            return "all faults end"
        case log.CacheCreated():
            what = f"{event.cache} ({event.label}) of {_brief(event.content)!r}"
            return f"{_by(event.run)} creates {what} until {_clock(event.expires_at).strip()}"
        case log.CachePatched():
            return f"{_by(event.run)} extends {event.cache} to {_clock(event.expires_at).strip()}"
        case log.CacheDeleted():
            return f"{_by(event.run)} deletes {event.cache}"
        case log.CacheExpired():
            return f"{event.cache} expires"
        case log.CachesListed() if event.shown != event.alive:
            missing = sorted(set(event.alive) - set(event.shown))
            return f"run {event.run} gets a list that lacks {missing or 'nothing, and shows more'}"
        case log.RequestAnswered() if not event.is_delivered:
            answer = f"the answer {event.status} to" if event.status else ""
            return f"run {event.run} never gets {answer} {event.method} {event.path}"
        case log.FileWritten() if event.run and event.file.endswith(".lock.json"):
            return _lease(event)
        case log.FileWritten():
            return f"{_by(event.run)} writes {event.store}/{event.file} {event.version}"
        case log.FileDeleted():
            return f"{_by(event.run)} deletes {event.store}/{event.file}"
        case log.WriteRefused():
            return f"run {event.run} may not write {event.store}/{event.file}: a conflict"
        case log.LockChanged():
            owner = f"is held by {event.owner}" if event.owner else "is free"
            return f"the lock of {event.store}/{event.file} {owner}"
        case _:
            return None


def _lease(event: log.FileWritten) -> str | None:
    """It leaves out every renewal of a lease."""
    fields = json.loads(event.content)
    if fields.get("free"):
        return f"{_by(event.run)} releases {event.store}/{event.file}"
    return None
