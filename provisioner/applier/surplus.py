"""
The twins that a run made itself, retired at its end.

A create whose answer was lost may have made a cache that shows only later, beside the one
that is on record by now.  The four letters in its label prove which create made it, and that
it was never changed proves that no other run has taken it over: only then is its life cut
short.  In doubt it is a stray, which the next plan names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Protocol

from provisioner.applier.steps import LiveCaches, LockGone, shorten, while_locked
from provisioner.cache import BeforeSending, CachedContext
from provisioner.errors import CacheError
from provisioner.model.attributes import TOLERANCE, Label
from provisioner.model.facts import Fact, Retired, State, Surplus
from provisioner.model.plan import Plan
from provisioner.model.records import LiveCache, Recorded, RecordedCache, RetiringCache, made_of

SHORTEST = timedelta(minutes=1)
"""A twin lives at least so long, even if its entry retires at once: a mistake can be undone."""
_USUAL = timedelta(hours=1)


class Creators(LiveCaches, Protocol):
    """What this needs of a provider beside its calls for a change."""

    @property
    def uncertain_labels(self) -> frozenset[str]:
        """The labels of its creates that may have made another cache."""

    async def list(self) -> list[CachedContext]: ...


async def retire_surplus(
    plan: Plan,
    caches: Mapping[str, Creators],
    state: State,
    record: Callable[[Fact], None],
    warn: Callable[[str], None],
    *,
    renew_lock: Callable[[], Awaitable[bool]],
) -> None:
    """
    Retire what the creates of *plan* made twice, by the *state* that the run leaves.

    *renew_lock* is asked just before each, and nothing is retired once the lock is lost.
    Asks only where an answer was lost.  A failure is a warning: a twin dies by its own ttl.
    """
    before = while_locked(renew_lock)
    on_record = state.ids
    for provider, creator in caches.items():
        uncertain = {
            text: label.name
            for text in creator.uncertain_labels
            if (label := Label.parse(text)) and label.stack == plan.stack
        }
        if not uncertain:
            continue
        try:
            for seen in await creator.list():
                if _is_surplus(seen, uncertain, on_record):
                    name = uncertain[seen.display_name]
                    live, entry = LiveCache.of(provider, seen), state.caches.get(name)
                    record(await _retired(live, entry, name, creator, plan, before))
        except LockGone:
            return
        except CacheError as error:
            warn(
                f"warning: whether a create without an answer made a cache twice was not looked "
                f"at in {provider}: {error}"
            )


def _is_surplus(
    seen: CachedContext, uncertain: Collection[str], on_record: Collection[str]
) -> bool:
    return (
        seen.display_name in uncertain
        and seen.handle.cache_name not in on_record
        and abs(seen.updated_at - seen.created_at) <= TOLERANCE
    )


async def _retired(
    live: LiveCache,
    record: Recorded | None,
    name: str,
    creator: Creators,
    plan: Plan,
    before: BeforeSending,
) -> Surplus:
    """Cut the life of *live* short, beside the *record* of its entry *name*."""
    usual = record.retire_after if isinstance(record, RecordedCache) else _USUAL
    after = max(usual, SHORTEST)
    fact = await shorten(creator, live, after, plan, before=before)
    if isinstance(fact, Retired):
        end = fact.expires_at
    else:
        end = min(live.expires_at, plan.now_of(live.provider))
    return Surplus(
        made_of(RetiringCache, live, name=name, retire_after=after, until=end, expires_at=end)
    )
