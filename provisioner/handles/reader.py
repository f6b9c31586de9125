"""
How running programs learn handles: a file that is looked at again and again.

No handle means cold: send the content inline, which is right at any time, only dearer.  So
an application never fails because of this file.  What is wrong with it is logged, once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from provisioner.cache import CacheHandle
from provisioner.errors import PublishError
from provisioner.handles.document import Published, parse_handles
from provisioner.model import TOLERANCE

_LOG = logging.getLogger("provisioner.handles")


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # applications have no clock to pass


class Handles:
    """
    The handles published at *path*, kept up to date.

    The file is looked at once in *interval* at most, or when the handle asked for has
    just run out, and read again only if it has changed.  A file that is missing makes
    every name cold; one that cannot be read or makes no sense leaves what was known
    before.  May be shared by threads and tasks.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], datetime] = _utc_now,
        interval: timedelta = timedelta(seconds=1),
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._interval = interval
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._seen: tuple[int, ...] = ()
        self._known: Mapping[str, Published | None] = {}
        self._problem = ""
        self._looking = Lock()

    def get(self, name: str) -> CacheHandle | None:
        """The handle of the cache *name*, alive by now, or None if it is cold."""
        now = self._clock()
        if not self._answers(name, now):
            self._look(now)
        return self._handle(name, now)

    async def aget(self, name: str) -> CacheHandle | None:
        """The same as `get`, without keeping the event loop from other work."""
        now = self._clock()
        if not self._answers(name, now):
            await asyncio.to_thread(self._look, now)
        return self._handle(name, now)

    def _answers(self, name: str, now: datetime) -> bool:
        """Whether what is known answers for *name* without another look."""
        # A clock that was set back must not make what we know last for ever.
        is_fresh = timedelta() <= now - self._looked_at < self._interval
        known = self._known.get(name)
        return is_fresh and not (known and _is_over(known, now))

    def _handle(self, name: str, now: datetime) -> CacheHandle | None:
        known = self._known.get(name)
        return None if known is None or _is_over(known, now) else known.handle

    def _look(self, now: datetime) -> None:
        with self._looking:
            try:
                self._read_if_changed()
            except FileNotFoundError:
                self._known, self._seen = {}, ()
                self._warn("there is no such file: every cache is cold")
            except OSError as error:
                self._warn(f"it cannot be read: {error.strerror}")
            except PublishError as error:
                self._warn(str(error))
            self._looked_at = now

    def _read_if_changed(self) -> None:
        # Opened each time, because a network file system may answer stat from memory.
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            raw = file.read()
        self._seen = seen
        self._known = parse_handles(raw, where=str(self._path))
        strange = sum(known is None for known in self._known.values())
        self._warn(f"{strange} of its handles make no sense here" if strange else "")

    def _warn(self, problem: str) -> None:
        if problem and problem != self._problem:
            _LOG.warning("handles %s: %s", self._path, problem)
        self._problem = problem


def _is_over(known: Published, now: datetime) -> bool:
    return known.expires_at is not None and now + TOLERANCE >= known.expires_at
