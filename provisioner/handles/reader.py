"""
How running programs learn handles: a published file that is looked at again and again.

No handle means cold: send the content inline, which is right at any time, only dearer.  So
an application never fails because of this file.  What is wrong with it is logged, once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock

from provisioner.cache import CacheHandle
from provisioner.errors import PublishError
from provisioner.handles.document import Published, parse_handles
from provisioner.handles.source import Missing, source_of
from provisioner.model import TOLERANCE

_LOG = logging.getLogger("provisioner.handles")


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # applications have no clock to pass


class Handles:
    """
    The handles published at *path*, kept up to date.

    *path* is a file, or a file in a home such as `s3://bucket/prefix/handles.json`.  It is
    looked at once in *interval* at most, by default a second for a file and fifteen for a
    home, and read again only if it has changed.  While the handle asked for has run out,
    a file is looked at each time, and a home once a second.  A file that is missing makes
    every name cold; one that cannot be read or makes no sense leaves what was known before.

    May be shared by threads and tasks.  A look at a home may last as long as its network
    does: one caller waits for it, and the others only if they have no handle that lives.

    Raises StateError for an address that makes no sense or needs an extra.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], datetime] = _utc_now,
        interval: timedelta | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._clock = clock
        self._source = source_of(path, clock)
        self._interval = self._source.interval if interval is None else interval
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._known: Mapping[str, Published | None] = {}
        self._problem = ""
        self._looking = Lock()

    def get(self, name: str) -> CacheHandle | None:
        """The handle of the cache *name*, alive by now, or None if it is cold."""
        looked_at, now = self._looked_at, self._clock()
        if self._answers(name, now, looked_at):
            return self._handle(name, now)
        self._look(name, now, looked_at)
        return self._handle(name, self._clock())

    async def aget(self, name: str) -> CacheHandle | None:
        """The same as `get`, without keeping the event loop from other work."""
        looked_at, now = self._looked_at, self._clock()
        if self._answers(name, now, looked_at):
            return self._handle(name, now)
        await asyncio.to_thread(self._look, name, now, looked_at)
        return self._handle(name, self._clock())

    def _answers(self, name: str, now: datetime, looked_at: datetime) -> bool:
        """Whether what is known answers for *name* without another look."""
        known = self._known.get(name)
        is_over = known is not None and _is_over(known, now)
        # A clock that was set back must not make what we know last for ever.
        age = now - looked_at
        if timedelta() <= age < (self._source.pause if is_over else self._interval):
            return True
        return known is not None and not is_over and self._looking.locked()

    def _handle(self, name: str, now: datetime) -> CacheHandle | None:
        known = self._known.get(name)
        return None if known is None or _is_over(known, now) else known.handle

    def _look(self, name: str, now: datetime, looked_at: datetime) -> None:
        """Look once for all who wait; whoever has a handle that lives does not wait."""
        if not self._looking.acquire(blocking=self._handle(name, now) is None):
            return
        try:
            if self._looked_at == looked_at:  # nobody else did, while we waited
                self._read()
        finally:
            self._looking.release()

    def _read(self) -> None:
        try:
            self._take(self._source.read())
        except Missing:
            self._known = {}
            self._warn("there is no such file: every cache is cold")
        except PublishError as error:
            self._warn(str(error))
        finally:
            self._looked_at = self._clock()  # a look may take longer than the interval

    def _take(self, raw: bytes | None) -> None:
        if raw is None:
            return
        self._known = parse_handles(raw, where=self._path)
        strange = sum(known is None for known in self._known.values())
        self._warn(f"{strange} of its handles make no sense here" if strange else "")

    def _warn(self, problem: str) -> None:
        if problem and problem != self._problem:
            _LOG.warning("handles %s: %s", self._path, problem)
        self._problem = problem


def _is_over(known: Published, now: datetime) -> bool:
    return known.expires_at is not None and now + TOLERANCE >= known.expires_at
