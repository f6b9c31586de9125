"""
Whether a state belongs to the project that an API key reaches.

A key does not name its project, but its LIST shows which caches are there.  Keys are recorded
by fingerprint; neither a key nor a network is seen here.
"""

from __future__ import annotations

from collections.abc import Collection

from provisioner.errors import ScopeRefused
from provisioner.model.facts import Scope


def admit(
    recorded: Scope | None,
    seen: Scope,
    *,
    expected: Collection[str],
    shown: Collection[str],
    accept: bool,
) -> Scope:
    """
    The scope to remember from now on.

    *expected* are the ids that should be alive by the record, *shown* those that the LIST
    shows.  A key or endpoint seen for the first time is welcome if one of them is shown.
    Raises ScopeRefused if any is expected and none is shown, unless *accept* is set.
    """
    if recorded and recorded.endpoint == seen.endpoint and set(seen.keys) <= set(recorded.keys):
        return recorded
    if not accept and expected and set(shown).isdisjoint(expected):
        raise ScopeRefused(_refusal(recorded, seen, len(expected)))
    if recorded is None or recorded.endpoint != seen.endpoint:
        return seen
    return Scope(endpoint=seen.endpoint, keys=tuple(dict.fromkeys((*recorded.keys, *seen.keys))))


def _refusal(recorded: Scope | None, seen: Scope, expected: int) -> str:
    news = (
        f"at {seen.endpoint}, where the state knows them at {recorded.endpoint}"
        if recorded and recorded.endpoint != seen.endpoint
        else "under this API key, which the state has not seen before"
    )
    count = (
        f"none of the {expected} caches that should be alive is"
        if expected > 1
        else "the one cache that should be alive is not"
    )
    return (
        f"{count} to be found {news}: this is "
        "probably another project.  Nothing has been changed.  Use the key and the endpoint of "
        "the project that the caches are in; or give --accept-scope to go on without them, "
        "which makes every cache again here and leaves the old ones to expire."
    )
