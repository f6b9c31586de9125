"""`ctxprov gc` ends what no state knows, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from provisioner.cache import GeminiHandle
from provisioner.errors import StateTaken
from provisioner.operations.collect_garbage import delete_each
from tests.builders import desired, live
from tests.cli.cli_harness import Stage


def stacks_alive(stage: Stage) -> list[str]:
    return sorted(one["stack"] for one in stage.live().values())


def test_what_no_state_knows(stage: Stage, address: str) -> None:
    """gc lists it with age and rent, and deletes it once it is named and approved."""
    result = stage.run("gc", "--state", address)
    assert result.status == 0
    assert "two (1 cache" in result.out
    assert "one (" not in result.out
    document = stage.run("gc", "--state", address, "--json").json
    (cache,) = document["caches"]
    assert (cache["stack"], cache["id"] in result.out) == ("two", True)
    assert document["unreadable"] == {}

    assert stage.run("gc", "--state", address, "--stack", "two").status == 3
    assert stage.run("gc", "--state", address, "--stack", "one", "--auto-approve").status == 3
    absent = stage.run("gc", "--state", address, "--stack", "absent")
    assert (absent.status, absent.err.count("Usage: ctxprov gc")) == (64, 1)
    assert stacks_alive(stage) == ["one", "three", "two"]
    done = stage.run("gc", "--state", address, cache["id"], "--auto-approve", "--json")
    assert (done.status, done.json["deleted"]) == (0, [cache["id"]])
    assert stacks_alive(stage) == ["one", "three"]


def test_gc_that_was_suspended() -> None:
    """gc deletes nothing more once the lock that keeps runs away from a state is lost."""
    caches = [live(desired(name), f"cachedContents/{name}") for name in "abc"]
    deleted: list[str] = []
    held = iter([True, False, True])

    async def delete(handle: GeminiHandle, *, before: Callable[[], Awaitable[None]]) -> None:
        await before()
        deleted.append(handle.cache_name)

    async def renew() -> bool:
        return next(held)

    with pytest.raises(StateTaken, match="Deleted 1 of 3 caches"):
        asyncio.run(delete_each(caches, delete, renew))

    assert deleted == ["cachedContents/a"]
