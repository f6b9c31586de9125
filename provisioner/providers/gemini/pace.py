"""
How fast one verb may be asked of one project: the arithmetic of rate and concurrency.

Decides how many requests may be under way and how many may start in a minute.  Both are
learned: concurrency grows while answers are slow and none is refused, the rate is what the
server accepted in the minute before it refused.  Pure: seconds come in from outside, and
nothing here waits.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from msgspec import Struct, field

MINUTE: Final = 60.0
MARGIN: Final = 0.5
"""Seconds that a request may need longer to arrive than the one a minute before it."""
MOST_UNDER_WAY: Final = 64

_CAREFUL, _CAREFUL_GAP, _GAP = 10, 0.1, 0.05
"""Up to so many at a time, one more is tried at the longer gap (seconds), then at the shorter."""
_QUICK_GROWTH: Final = 8
_PROBE_GAP: Final = 0.25
_LONG_HINT: Final = 10.0
"""A server that asks for fewer seconds than this speaks of no quota of a minute."""
_LONGEST_BACKOFF: Final = 30.0


class Pace(Struct, kw_only=True):
    """
    One verb's window.  Call `wait` until it is zero, then `start`, then one of the ends.

    A learned limit is doubted after a while, because another run may have used up what
    this one was refused: then requests beyond it start one by one until one is refused.
    """

    limit: int | None = None
    """How many may start in a minute, as far as that is learned."""
    _held_until: float = -inf
    _starts: deque[float] = field(default_factory=deque)
    """When the requests of the last minute started that were not refused."""
    _under_way: dict[int, float] = field(default_factory=dict)
    _next: int = 0
    _window: int = 1
    _grown_at: float = -inf
    _began: float = inf
    _probed_at: float = -inf
    _learned_at: float = -inf
    _is_firm: bool = False
    """Whether our own requests of a whole minute stand behind the limit."""
    _accepted: int = 0
    """Successes of requests that started after the limit was learned."""
    _refusals: int = 0
    """In a row."""

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def wait(self, now: float) -> float:
        """Seconds until one more may start; `inf` means: until one has ended."""
        self._forget(now)
        return max(self.quota_wait(now), self._until_room(now))

    def quota_wait(self, now: float) -> float:
        """The part of `wait` that the server asked for, or taught."""
        return max(0.0, self._held_until - now, self._until_rate(now))

    def start(self, now: float) -> int:
        """Count a request that starts; returns its ticket."""
        if self.limit is not None and len(self._starts) >= self.limit:
            self._probe(self.limit, now)
        self._began = min(self._began, now)
        ticket = self._next
        self._next += 1
        self._starts.append(now)
        self._under_way[ticket] = now
        if self.under_way > self._window:
            self._window, self._grown_at = self.under_way, now
        return ticket

    def restart(self, ticket: int, now: float) -> None:
        """Count a request from *now*, because it was held back after its permit."""
        self._take_back(self._under_way[ticket])
        self._starts.append(now)
        self._under_way[ticket] = now

    def succeed(self, ticket: int, now: float) -> None:
        started = self._under_way.pop(ticket)
        self._refusals = 0
        self._accepted += started > self._learned_at
        if now - started < _CAREFUL_GAP and self._window < _QUICK_GROWTH:
            self._window += 1

    def fail(self, ticket: int) -> None:
        """Count the end of a request that says nothing about a quota."""
        self._under_way.pop(ticket)

    def unused(self, ticket: int) -> None:
        """Give back a permit that nothing was sent under."""
        self._take_back(self._under_way.pop(ticket))

    def refuse(self, ticket: int, now: float, hint: float | None) -> None:
        """Learn from a 429; *hint* is how many seconds the server asked for."""
        self._take_back(self._under_way.pop(ticket))
        self._refusals += 1
        accepted = sum(start > now - MINUTE for start in self._starts)
        if accepted and (hint is None or hint >= _LONG_HINT):
            self._learn(accepted, now)
        elif hint is not None:
            self._window = max(1, self._window // 2)
        self._held_until = max(self._held_until, now + self._hold(hint))

    def _hold(self, hint: float | None) -> float:
        """Seconds; a server that is wrong about its hint is not asked ever faster."""
        if hint is not None and self._refusals == 1:
            return hint
        backoff = min(2.0 ** min(self._refusals - 1, 9), _LONGEST_BACKOFF)
        return max(hint or 0.0, backoff)

    def _learn(self, accepted: int, now: float) -> None:
        self._is_firm = now - self._began >= MINUTE
        self.limit, self._learned_at, self._accepted = accepted, now, 0

    def _is_doubtful(self, now: float) -> bool:
        """One refusal in forty is what finding out may cost, in twenty where little is known."""
        enough, age = (40, 15 * MINUTE) if self._is_firm else (20, 3 * MINUTE)
        return self._accepted >= enough or now - self._learned_at >= age

    def _probe(self, limit: int, now: float) -> None:
        """Note a request beyond *limit*; once there are twice as many, there is no such limit."""
        self._probed_at = now
        if len(self._starts) >= 2 * limit:
            self.limit, self._window = None, max(1, self.under_way)

    def _until_rate(self, now: float) -> float:
        if self.limit is None or len(self._starts) < self.limit:
            return 0.0
        free = self._starts[-self.limit] + MINUTE + MARGIN - now
        return min(free, self._probed_at + _PROBE_GAP - now) if self._is_doubtful(now) else free

    def _until_room(self, now: float) -> float:
        if self.under_way < self._window:
            return 0.0
        if self.under_way >= MOST_UNDER_WAY:
            return inf
        gap = _CAREFUL_GAP if self._window < _CAREFUL else _GAP
        return max(self._grown_at, next(iter(self._under_way.values()))) + gap - now

    def _forget(self, now: float) -> None:
        while self._starts and self._starts[0] <= now - MINUTE - MARGIN:
            self._starts.popleft()

    def _take_back(self, start: float) -> None:
        if self._starts and self._starts[0] <= start:
            self._starts.remove(start)
