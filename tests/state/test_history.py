"""What is remembered of runs, and of the states they replaced."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta

import jsonschema
import pytest
from msgspec.structs import replace

from provisioner.errors import StateError, StateNewer, StateTaken, Unsaved
from provisioner.files import schema_bytes
from provisioner.model.facts import Exists
from provisioner.runtime import SYSTEM
from provisioner.state import read_state
from provisioner.state.group_commit import Ledger, open_ledger
from provisioner.state.history import (
    UNFINISHED,
    HistoryWriter,
    PastRun,
    history_bytes,
    parse_history,
    read_history,
    read_version,
    trimmed,
    version_name,
)
from provisioner.storage import StoredFile
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import LockOwner
from provisioner.times import moment_text
from tests.builders import NOW, STACK, desired, recorded
from tests.storage.clock import AT_NOW, Clock
from tests.storage.memory import MemoryFiles

RUN = PastRun(
    run="r1",
    who="me@here",
    operation="apply",
    at=moment_text(NOW),
    commit=None,
    job=None,
    fingerprint=None,
    outcome="well",
    kept=None,
)


WHO = LockOwner(id="r1", who="me@here", pid=1, operation="apply", since=NOW)


def backend_on(files: MemoryFiles) -> LeaseBackend:
    return LeaseBackend(files, runtime=AT_NOW)


async def change(
    files: MemoryFiles, run: str, warnings: list[str], *, outcome: str | None = "well"
) -> None:
    """One run that makes one cache; without an *outcome* it never records its end."""
    await change_on(backend_on(files), run, warnings, outcome=outcome)


async def change_on(
    backend: LeaseBackend, run: str, warnings: list[str], *, outcome: str | None = "well"
) -> None:
    who = LockOwner(id=run, who="me@here", pid=1, operation="apply", since=NOW, commit="c0ffee")
    writer = HistoryWriter(backend, stack=STACK, who=who, warn=warnings.append, runtime=SYSTEM)
    async with open_ledger(
        backend,
        stack=STACK,
        runtime=SYSTEM,
        who=who,
        timeout=timedelta(),
        on_wait=lambda *_: None,
        before_save=writer.begin,
    ) as ledger:
        ledger.record(Exists(recorded(desired(run), f"cachedContents/{run}")))
        await ledger.save()
        if outcome:
            await writer.end(outcome, fingerprint="f00d")


def test_runs_and_versions() -> None:
    """Every run is remembered, and each state that was replaced is kept under its serial."""
    files, warnings = MemoryFiles(), list[str]()
    for run in ("r1", "r2", "r3"):
        asyncio.run(change(files, run, warnings, outcome=None if run == "r2" else "well"))

    runs = read_history(backend_on(files), STACK)
    jsonschema.validate(
        json.loads(files.files["demo.history/runs.json"]), json.loads(schema_bytes("history"))
    )
    assert [(run.run, run.outcome, run.kept) for run in runs] == [
        ("r1", "well", None),
        ("r2", "unfinished", 1),
        ("r3", "well", 2),
    ]
    assert (runs[0].commit, runs[0].fingerprint) == ("c0ffee", "f00d")
    assert json.loads(files.files[version_name(STACK, 2)])["run"] == "r2"
    assert warnings == []


def test_an_earlier_version() -> None:
    """A state that is kept is read by its serial; of another one those that are kept are named."""
    files, warnings = MemoryFiles(), list[str]()
    backend = backend_on(files)
    with pytest.raises(StateError, match=r"serial 1 of demo is not kept.*: none"):
        read_version(backend, STACK, 1)
    for run in ("r1", "r2", "r3"):
        asyncio.run(change(files, run, warnings))

    assert read_version(backend, STACK, 2).content == files.files[version_name(STACK, 2)]
    with pytest.raises(StateError, match=r"serial 7 of demo is not kept.*: 1, 2"):
        read_version(backend, STACK, 7)


@pytest.mark.parametrize("there", [None, b"another"])
def test_the_state_that_is_replaced(there: bytes | None) -> None:
    """The state that is to be replaced is kept as it is, also over an older one."""
    files, warnings = MemoryFiles(), list[str]()
    backend = backend_on(files)
    if there is not None:
        files.files[version_name(STACK, 3)] = there
    content = b'{"serial": 3, "who": "first"}'
    writer = HistoryWriter(backend, stack=STACK, who=WHO, warn=warnings.append, runtime=SYSTEM)
    writer.begin(StoredFile(content=content, version="1"))

    assert files.files[version_name(STACK, 3)] == content
    assert [run.kept for run in read_history(backend, STACK)] == [3]
    assert warnings == []


@pytest.mark.parametrize("replaced", [None, StoredFile(content=b"{", version="1")])
def test_a_state_without_a_serial(replaced: StoredFile | None) -> None:
    """Where there was no state, or none with a serial, none is kept."""
    files, warnings = MemoryFiles(), list[str]()
    backend = backend_on(files)
    writer = HistoryWriter(backend, stack=STACK, who=WHO, warn=warnings.append, runtime=SYSTEM)
    writer.begin(replaced)

    assert [run.kept for run in read_history(backend, STACK)] == [None]
    assert list(files.files) == ["demo.history/runs.json"]


def test_a_version_that_is_kept_already() -> None:
    """A version that is there already is not written again."""
    files, warnings = MemoryFiles(), list[str]()
    backend = backend_on(files)
    content = b'{"serial": 3}'
    files.files[version_name(STACK, 3)] = content
    writes: list[None] = []
    files.before_write = lambda: writes.append(None)
    writer = HistoryWriter(backend, stack=STACK, who=WHO, warn=warnings.append, runtime=SYSTEM)
    writer.begin(StoredFile(content=content, version="1"))

    assert len(writes) == 1, "the runs alone"


def test_the_form() -> None:
    """The history is indented and sorted, and ends in a line feed."""
    lines = history_bytes(STACK, (RUN,)).decode().splitlines(keepends=True)

    assert lines[:4] == ["{\n", '  "runs": [\n', "    {\n", '      "at": "2026-01-01T12:00:00Z",\n']
    assert lines[-1] == "}\n"


def test_a_backend_that_keeps_its_versions() -> None:
    """Where a backend keeps every version by itself, there is no other history."""

    class Branch(LeaseBackend):
        keeps_history = True

    files, warnings = MemoryFiles(), list[str]()
    backend = Branch(files, runtime=AT_NOW)
    asyncio.run(change_on(backend, "r1", warnings))

    assert [name for name in files.files if "history" in name] == []
    assert read_history(backend, STACK) == ()
    with pytest.raises(StateError, match="keeps its versions by itself"):
        read_version(backend, STACK, 1)


def test_bounded() -> None:
    """Two hundred runs and the last ten states are remembered, and nothing older."""
    files, warnings = MemoryFiles(), list[str]()
    for number in range(13):
        asyncio.run(change(files, f"r{number}", warnings))

    kept = {name for name in files.files if name.startswith("demo.history/")}
    assert kept == {"demo.history/runs.json", *(version_name(STACK, n) for n in range(3, 13))}
    assert [run.kept for run in read_history(backend_on(files), STACK)][:4] == [None, None, None, 3]
    runs, stale = trimmed(tuple(replace(RUN, run=str(n)) for n in range(250)))
    assert (runs[0].run, len(runs), stale) == ("50", 200, ())


def test_what_is_kept_is_remembered() -> None:
    """However many runs fail, a state is named by a run for as long as it is kept, then dropped."""
    kept = tuple(replace(RUN, run=f"k{serial}", kept=serial) for serial in range(10))
    failed = tuple(replace(RUN, run=f"f{number}") for number in range(300))

    runs, stale = trimmed((*kept, *failed))
    assert [run.kept for run in runs[:11]] == [*range(10), None]
    assert (len(runs), stale) == (210, ())

    runs, stale = trimmed((*runs, replace(RUN, run="next", kept=10)))
    assert sorted(run.kept for run in runs if run.kept is not None) == list(range(1, 11))
    assert (len(runs), stale) == (209, (0,))


def test_a_state_that_an_old_run_replaced() -> None:
    """A run is remembered for the state that it replaced, however many runs came since."""
    many = [replace(RUN, run=str(number)) for number in range(500)]
    many[250] = replace(many[250], kept=5)

    runs, _ = trimmed(tuple(many))
    assert [run.run for run in runs[:2]] == ["250", "300"]


def test_a_state_that_many_runs_replaced() -> None:
    """Runs that all kept one state and never replaced it do not pile up."""
    runs, _ = trimmed(tuple(replace(RUN, run=str(number), kept=5) for number in range(300)))
    assert (runs[0].run, len(runs)) == ("100", 200)

    runs, _ = trimmed((*runs, *(replace(RUN, run=f"f{number}") for number in range(200))))
    assert [run.run for run in runs[:2]] == ["299", "f0"]


def test_a_history_of_a_newer_ctxprov() -> None:
    """A key that is unknown here was written by a newer ctxprov."""
    raw = history_bytes(STACK, (RUN,)).replace(b'"version"', b'"more": 1, "version"')
    with pytest.raises(StateNewer, match="more"):
        parse_history(raw, where="here")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"{", "wrote: it ends in the middle"),
        (b'{"version": 1, "stack": "demo", "runs": [1]}', r"wrote: runs"),
        (history_bytes(STACK, (RUN,)).replace(b"2026-01-01", b"2026-99-01"), r"wrote: runs\[?.?0"),
    ],
)
def test_what_is_wrong_with_a_history(broken: bytes, why: str) -> None:
    """A history that ctxprov did not write is refused with the place that is wrong."""
    with pytest.raises(StateError, match=why):
        parse_history(broken, where="here")


@pytest.mark.parametrize("broken", [b"[]", b"{", b'{"version": 1, "stack": "demo", "runs": [1]}'])
def test_a_broken_history(broken: bytes) -> None:
    """A malformed history is a warning, and fails no run."""
    files, warnings = MemoryFiles(), list[str]()
    files.files["demo.history/runs.json"] = broken
    asyncio.run(change(files, "r1", warnings))

    assert set(read_state(backend_on(files), stack=STACK).caches) == {"r1"}
    assert len(warnings) == 1
    with pytest.raises(StateError, match="move it away"):
        read_history(backend_on(files), STACK)


def test_a_home_that_is_gone() -> None:
    """What could not be saved at the end comes with the error."""
    files = MemoryFiles()

    async def work() -> None:
        backend = backend_on(files)
        who = LockOwner(id="r1", who="me@here", pid=1, operation="apply", since=NOW)
        async with open_ledger(
            backend,
            stack=STACK,
            runtime=SYSTEM,
            who=who,
            timeout=timedelta(),
            on_wait=lambda *_: None,
            before_save=lambda _: None,
        ) as ledger:
            ledger.record(Exists(recorded(desired("a"), "cachedContents/a")))
            files.is_down = True

    with pytest.raises(Unsaved, match="no answer") as unsaved:
        asyncio.run(work())
    assert set(json.loads(unsaved.value.content)["caches"]) == {"a"}


def test_a_loser_that_wrote_meanwhile() -> None:
    """Who lost its lock may have added its run: the end of the other is written beside it."""
    files, warnings = MemoryFiles(), list[str]()
    winner, loser = (
        HistoryWriter(
            backend_on(files),
            stack=STACK,
            who=LockOwner(id=run, who="me@here", pid=1, operation="apply", since=NOW),
            warn=warnings.append,
            runtime=SYSTEM,
        )
        for run in ("winner", "loser")
    )

    winner.begin(None)
    loser.begin(None)
    asyncio.run(winner.end("well"))

    runs = [(run.run, run.outcome) for run in read_history(backend_on(files), STACK)]
    assert runs == [("loser", UNFINISHED), ("winner", "well")]
    assert warnings == []


def test_a_history_that_is_removed_meanwhile() -> None:
    """A run whose history is removed before its end writes one that has this run alone."""
    files, warnings = MemoryFiles(), list[str]()
    backend = backend_on(files)
    writer = HistoryWriter(backend, stack=STACK, who=WHO, warn=warnings.append, runtime=SYSTEM)

    writer.begin(None)
    (name,) = files.files
    file = files.read(name)
    assert file
    files.delete(name, expected=file.version)
    asyncio.run(writer.end("well"))

    assert [run.outcome for run in read_history(backend, STACK)] == ["well"]
    assert warnings == []


def test_a_late_loser() -> None:
    """Who takes a lock over saves first, so that its loser can save nothing any more."""
    files = MemoryFiles()

    async def work() -> None:
        clock = Clock()
        dead = LeaseBackend(files, runtime=AT_NOW)  # whose renewals are far away in real time
        alive = LeaseBackend(files, runtime=clock.runtime)

        def opened(
            backend: LeaseBackend, run: str, patience: float
        ) -> AbstractAsyncContextManager[Ledger]:
            return open_ledger(
                backend,
                stack=STACK,
                runtime=SYSTEM,
                who=LockOwner(id=run, who="me@here", pid=1, operation="apply", since=NOW),
                timeout=timedelta(seconds=patience),
                on_wait=lambda *_: None,
                before_save=lambda _: None,
            )

        async with opened(dead, "loser", 0) as loser, AsyncExitStack() as stack:
            opening = asyncio.create_task(stack.enter_async_context(opened(alive, "winner", 600)))
            await clock.settle(opening)
            await clock.move(62)
            winner = await opening
            assert json.loads(files.files["demo.json"])["run"] == "winner"
            loser.record(Exists(recorded(desired("a"), "cachedContents/a")))
            with pytest.raises(StateTaken, match="retires nothing"):
                await loser.save()
            assert loser.is_lost
            winner.record(Exists(recorded(desired("b"), "cachedContents/b")))

    with pytest.raises(StateTaken):
        asyncio.run(work())
    assert set(json.loads(files.files["demo.json"])["caches"]) == {"b"}
