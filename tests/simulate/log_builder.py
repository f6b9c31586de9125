"""
Logs written by hand, as stories: what `test_checker` lets the checker read.

`LogBuilder` has a word for each thing that happens, and two for what a run does from its lock to
its end: `apply` and `keepalive` are a small model of a good run.  It imports nothing of
`provisioner`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from itertools import count
from typing import Any, TypeAlias

import msgspec

from tests.simulate.log import (
    EPOCH,
    CacheCreated,
    CacheDeleted,
    CacheExpired,
    CachePatched,
    CachesListed,
    DeclaredEntry,
    FaultHappened,
    FaultsEnded,
    FileDeleted,
    FileRead,
    FileWritten,
    LockChanged,
    RequestAnswered,
    RunBegun,
    RunEnded,
    TextsChanged,
    WorldEvent,
)

Field: TypeAlias = Any
"""A field of an event."""
HOUR = 3600.0
MODEL = "gemini-3.8-flash"
STORE = "store"
LIST = "/v1beta/cachedContents"


class LogBuilder:
    """A world that happens as it is spelled."""

    def __init__(self) -> None:
        self.events: list[WorldEvent] = []
        self.at = 0.0
        self.tick = 1.0
        """Seconds that pass with each event."""
        self.run = 0
        self.stack = "bot"
        self.ids: dict[str, CacheCreated] = {}
        self.ends: dict[str, float] = {}
        """When each live cache expires."""
        self.entries: dict[str, dict[str, DeclaredEntry]] = {}
        self.records: dict[str, dict[str, str]] = {}
        """Ids by name, by stack."""
        self.retiring: dict[str, dict[str, tuple[str, float]]] = {}
        """By stack and id: the name, and until when."""
        self.versions: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}
        self._numbers = count(1)
        self._written = count(1)

    def add(self, event: WorldEvent) -> None:
        self.events.append(event)
        self.at += self.tick

    def wait(self, seconds: float) -> None:
        """Let time pass, and let caches expire in it."""
        until = self.at + seconds
        for cache, end in sorted(self.ends.items(), key=lambda item: item[1]):
            if end <= until:
                self.at = max(self.at, end)
                self.expire(cache)
        self.at = max(self.at, until)

    # --- what people and other programs do -----------------------------------------------------

    def declare(
        self,
        stack: str = "bot",
        *,
        checkout: str = "main",
        moved: dict[str, str] | None = None,
        options: dict[str, Any] | None = None,
        **contents: str,
    ) -> None:
        """*checkout* declares an entry of each content; *options* are those of all entries."""
        fields = {"model": MODEL, "ttl": 3 * HOUR, **(options or {})}
        entries = {
            name: DeclaredEntry(content=content, **fields) for name, content in contents.items()
        }
        self.entries[stack] = entries
        self.add(
            TextsChanged(
                at=self.at, checkout=checkout, stack=stack, entries=entries, moved=moved or {}
            )
        )

    def fault(self, kind: str, run: int | None = None) -> None:
        number = self.run if run is None else run
        self.add(FaultHappened(at=self.at, kind=kind, phase="make", run=number))

    def calm(self) -> None:
        self.add(FaultsEnded(at=self.at))

    def foreign_delete(self, cache: str) -> None:
        self.delete(cache, run=0)

    def lose(self, file: str) -> None:
        """No run removes *file*."""
        event = FileDeleted(
            at=self.at, run=0, store=STORE, file=file, version=self.versions.pop(file)
        )
        self.add(event)
        stack = file.removesuffix(".json")
        self.records[stack], self.retiring[stack] = {}, {}

    # --- a run, step by step -------------------------------------------------------------------

    def begin(
        self, operation: str = "apply", stack: str = "bot", *, waits: float = 60, **fields: Field
    ) -> int:
        """A run begins, takes the lease, which it may have to watch, and reads the state."""
        self.run, self.stack = next(self._numbers), stack
        fields = {"approves": operation == "apply", "checkout": "main", **fields}
        self.add(
            RunBegun(
                at=self.at, run=self.run, runner="ci", operation=operation, stack=stack, **fields
            )
        )
        if b'"until"' in self.contents.get(f"{stack}.lock.json", b""):
            self.wait(waits)
        lease = {"id": f"run-{self.run}", "until": self.wire(self.at + 60)}
        self.write(f"{stack}.lock.json", lease)
        self.read(f"{stack}.json")
        return self.run

    def read(self, file: str) -> None:
        version = self.versions.get(file)
        self.add(FileRead(at=self.at, run=self.run, store=STORE, file=file, version=version))

    def write(self, file: str, document: object, *, run: int | None = None) -> None:
        """An accepted write by this run, or by *run*."""
        content = document if isinstance(document, bytes) else msgspec.json.encode(document)
        version = f"v{next(self._written)}"
        event = FileWritten(
            at=self.at,
            run=self.run if run is None else run,
            store=STORE,
            file=file,
            replaced=self.versions.get(file),
            version=version,
            content=content,
        )
        self.versions[file], self.contents[file] = version, content
        self.add(event)

    def send(self) -> int:
        """A request goes out, whose number comes back."""
        return next(self._written)

    def answer(
        self,
        request: int,
        method: str = "POST",
        path: str = LIST,
        *,
        is_lost: bool = False,
        status: int = 200,
    ) -> None:
        self.add(
            RequestAnswered(
                at=self.at,
                request=request,
                run=self.run,
                method=method,
                path=path,
                status=0 if is_lost else status,
                is_delivered=not is_lost,
            )
        )

    def look(self, *, hides: tuple[str, ...] = (), shows: tuple[str, ...] = ()) -> None:
        """A LIST that may hide what lives, or show what is dead."""
        alive, request = tuple(self.ends), next(self._written)
        shown = (*(cache for cache in alive if cache not in hides), *shows)
        self.add(
            CachesListed(
                at=self.at,
                request=request,
                run=self.run,
                project="gemini",
                shown=shown,
                alive=alive,
            )
        )
        self.answer(request, "GET")

    def make(
        self, name: str, content: str | None = None, *, is_lost: bool = False, **fields: Field
    ) -> str:
        """A create, by the run, of what is declared or of *content*; its answer may be lost."""
        request = self.post(name, content, **fields)
        self.answer(request, is_lost=is_lost)
        return next(reversed(self.ids))

    def post(
        self, name: str, content: str | None = None, *, request: int | None = None, **fields: Field
    ) -> int:
        """The effect of a create alone; returns the number of its request."""
        entry = self.entries.get(self.stack, {}).get(name)
        number = next(self._written)
        cache = f"cachedContents/{name}-{number}"
        ttl = fields.pop("ttl", entry.ttl if entry else 3 * HOUR)
        declared = {"model": f"models/{entry.model if entry else MODEL}", "project": "gemini"}
        event = CacheCreated(
            **{
                "at": self.at,
                "request": request or number,
                "run": self.run,
                "cache": cache,
                "label": f"ctxprov:{self.stack}/{name}@{'0' * 16}~abcd",
                "content": content or (entry.content if entry else ""),
                "expires_at": self.at + ttl,
                **declared,
                **fields,
            }
        )
        self.ids[cache], self.ends[cache] = event, event.expires_at
        self.add(event)
        return event.request

    def patch(
        self, cache: str, life: float, *, run: int | None = None, asked: float | None = None
    ) -> None:
        """A PATCH to so many seconds from now, by this run or another, and its answer."""
        self.ends[cache] = self.at + life
        self.add(
            CachePatched(
                at=self.at,
                request=next(self._written),
                run=self.run if run is None else run,
                project="gemini",
                cache=cache,
                expires_at=self.ends[cache],
                asked=None if asked is None else self.at + asked,
            )
        )

    def delete(self, cache: str, *, run: int | None = None) -> None:
        del self.ends[cache]
        self.add(
            CacheDeleted(
                at=self.at,
                request=next(self._written),
                run=self.run if run is None else run,
                project="gemini",
                cache=cache,
            )
        )

    def expire(self, cache: str) -> None:
        del self.ends[cache]
        self.add(CacheExpired(at=self.at, project="gemini", cache=cache))

    # --- what a run remembers and publishes ----------------------------------------------------

    def record(self, name: str, cache: str) -> None:
        """Put *cache* on record, and what was there on the list of what is retiring."""
        records = self.records.setdefault(self.stack, {})
        retiring = self.retiring.setdefault(self.stack, {})
        retiring.pop(cache, None)
        if (old := records.get(name)) and old != cache and old in self.ends:
            retiring[old] = (name, min(self.ends[old], self.at + HOUR))
        records[name] = cache

    def forget(self, name: str) -> str:
        """Take *name* from the record; its cache is retiring."""
        cache = self.records[self.stack].pop(name)
        self.retiring.setdefault(self.stack, {})[cache] = (name, self.at + HOUR)
        return cache

    def save(self) -> None:
        self.write(f"{self.stack}.json", self.state())

    def state(self) -> dict[str, object]:
        return {
            "stack": self.stack,
            "serial": next(self._written),
            "run": f"run-{self.run}",
            "caches": {
                name: self._record(name, cache)
                for name, cache in self.records.get(self.stack, {}).items()
            },
            "retiring": {
                cache: {"name": name, "until": self.wire(until), "retire_after": "1h"}
                for cache, (name, until) in self.retiring.get(self.stack, {}).items()
                if cache in self.ends
            },
        }

    def _record(self, name: str, cache: str) -> dict[str, object]:
        entry = self.entries[self.stack].get(name)
        is_warm, is_protected = (entry.is_warm, entry.is_protected) if entry else (True, False)
        ttl = int(entry.ttl if entry else 3 * HOUR)
        return {
            "provider": "gemini",
            "id": cache,
            "life": {"ttl": f"{ttl}s"},
            "settings": {
                "keep": "warm" if is_warm else "once",
                "protect": is_protected,
                "refresh_before": "1/3",
                "retire_after": "1h",
            },
            "expires_at": self.wire(self.ends.get(cache, self.at)),
        }

    def publish(self, file: str | None = None, *, hidden: Collection[str] = ()) -> None:
        file = file or f"{self.stack}-handles.json"
        if file in self.versions:
            self.read(file)
        previous = {
            name: {"handle": self._handle(cache), "until": self.wire(until)}
            for cache, (name, until) in self.retiring.get(self.stack, {}).items()
            if cache in self.ends
        }
        caches = {
            name: {
                "handle": self._handle(cache),
                "expires_at": self.wire(self.ends[cache]),
                "previous": previous.get(name),
            }
            for name, cache in self.records.get(self.stack, {}).items()
            if cache in self.ends and name not in hidden
        }
        document = {"stack": self.stack, "generated_at": self.wire(self.at), "caches": caches}
        self.write(file, document)

    def _handle(self, cache: str) -> dict[str, str]:
        return {"provider": "gemini", "cache_name": cache}

    def end(self, outcome: str = "done", detail: str = "", *, run: int | None = None) -> None:
        """The lock is released, and the run ends; or it was killed, and its lease runs out."""
        number = self.run if run is None else run
        if outcome != "killed":
            lease = {"free": True, "ended": False, "id": f"run-{number}"}
            self.write(f"{self.stack}.lock.json", lease, run=number)
        self.add(RunEnded(at=self.at, run=number, outcome=outcome, detail=detail))

    def lock(self, owner: str | None, file: str = "bot") -> None:
        """A lock of a server of states changes."""
        self.add(LockChanged(at=self.at, run=self.run, store="server", file=file, owner=owner))

    # --- good runs -----------------------------------------------------------------------------

    def apply(self, stack: str = "bot", **fields: Field) -> None:
        """Take the declared entries, as a run that is approved does."""
        self.begin("apply", stack, **fields)
        self.look()
        wanted = self.entries[stack]
        for name, entry in wanted.items():
            self.ensure(name, entry.content)
        removed = self.records.get(stack, {}).keys() - wanted.keys()
        self.finish(removed=sorted(removed))

    def keepalive(self, stack: str = "bot", **fields: Field) -> None:
        """Keep what is on record alive."""
        self.begin("keepalive", stack, is_scheduled=True, **fields)
        self.look()
        for name, cache in self.records.get(stack, {}).items():
            self.ensure(name, self.ids[cache].content)
        self.finish()

    def ensure(self, name: str, content: str) -> None:
        """Keep, refresh, adopt or make the cache of *name*."""
        own = self.records.get(self.stack, {}).get(name)
        alike = [
            cache
            for cache in self.ends
            if self.ids[cache].content == content
            and self.ids[cache].label.startswith(f"ctxprov:{self.stack}/{name}@")
        ]
        entry = self.entries[self.stack].get(name)
        ttl = entry.ttl if entry else 3 * HOUR
        if own in alike:
            if self.ends[own] - self.at <= ttl / 3:
                self.patch(own, ttl)
        elif alike:
            self.patch(alike[-1], ttl)
            self.record(name, alike[-1])
        elif entry is None or entry.is_warm or own is None:
            self.record(name, self.make(name, content))

    def finish(self, *, removed: list[str] | None = None) -> None:
        """Save and publish, then retire, save and end."""
        for name in removed or ():
            if self.records[self.stack][name] not in self.ends:
                del self.records[self.stack][name]
        self.save()
        self.publish(hidden=removed or ())
        for name in removed or ():
            if name in self.records[self.stack]:
                self.patch(self.records[self.stack][name], HOUR)
                self.forget(name)
        for cache in self.retiring.get(self.stack, {}):
            if self.ends.get(cache, 0.0) > self.at + HOUR:
                self.patch(cache, HOUR)
        self.save()
        self.end()

    def clean(self, stack: str = "bot") -> None:
        """Faults end, and two clean runs follow."""
        self.calm()
        for turn in (1, 2):
            self.apply(stack, clean=turn)

    def wire(self, at: float) -> str:
        moment = EPOCH + timedelta(seconds=at)
        return moment.isoformat().replace("+00:00", "Z")
