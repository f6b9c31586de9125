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
_SHORT_HINT: Final = 10.0
"""Up to so many seconds, a server speaks of the next request, not of the next minute."""
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
    _fastest: float = inf
    """The shortest time of a success.  Where that is short, more at a time would only queue."""
    _began: float = inf
    _probed_at: float = -inf
    _learned_at: float = -inf
    _is_firm: bool = False
    """Whether our own requests of a whole minute stand behind the limit."""
    _gap: float = 0.0
    """Seconds between two starts, where the server gave them."""
    _accepted: int = 0
    """Successes of requests that started after the limit was learned."""
    _refusals: int = 0
    """In a row."""
    _price: int = 0
    """How many refusals learning the limit took."""

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
        self._fastest = min(self._fastest, now - started)
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
        self._price = self._price + 1 if self._accepted == 0 else 1
        accepted = self.started_since(now - MINUTE)
        if hint is not None and self._believes(hint, accepted):
            self._learn(int(MINUTE / hint), now, gap=hint)
        elif accepted:
            self._learn(accepted, now)
        self._held_until = max(self._held_until, now + self._hold(hint))

    def _believes(self, hint: float, accepted: int) -> bool:
        """
        Whether *hint* may be the time from one request to the next.

        It is tried if that is faster than what counting teaches, and given up once a request
        is refused that kept to it.
        """
        if not 1 <= hint < _SHORT_HINT or accepted * hint >= MINUTE:
            return False
        is_obeyed = bool(self._starts) and self._starts[-1] > self._learned_at
        return self.limit is None or (self._gap == hint and is_obeyed)

    def _hold(self, hint: float | None) -> float:
        """Seconds; a server that is wrong about its hint is not asked ever faster."""
        if hint is not None and self._refusals == 1:
            return hint
        backoff = min(2.0 ** min(self._refusals - 1, 9), _LONGEST_BACKOFF)
        return max(hint or 0.0, backoff)

    def _learn(self, limit: int, now: float, *, gap: float = 0.0) -> None:
        self._is_firm = now - self._began >= MINUTE
        self.limit, self._gap, self._learned_at, self._accepted = limit, gap, now, 0

    def started_since(self, moment: float) -> int:
        """How many requests that were not refused started after *moment*, in the last minute."""
        return sum(start > moment for start in self._starts)

    def is_doubtful(self, now: float) -> bool:
        """A probe may cost one refusal in forty, or in twenty where the limit is uncertain."""
        accepted, age = self._accepted, now - self._learned_at
        if self._is_firm:
            return accepted >= 40 * self._price or (
                accepted >= 20 * self._price and age >= 15 * MINUTE
            )
        return accepted >= 20 * self._price or age >= 4 * MINUTE

    def _probe(self, limit: int, now: float) -> None:
        """Note a request beyond *limit*; once there are twice as many, there is no such limit."""
        self._probed_at = now
        if len(self._starts) >= 2 * limit:
            self.limit, self._gap, self._window = None, 0.0, max(1, self.under_way)

    def _until_rate(self, now: float) -> float:
        if self.limit is None:
            return 0.0
        full = len(self._starts) >= self.limit
        free = self._starts[-self.limit] + MINUTE + MARGIN - now if full else 0.0
        if self._starts:
            free = max(free, self._starts[-1] + self._gap - now)
        return min(free, self._probed_at + _PROBE_GAP - now) if self.is_doubtful(now) else free

    def _until_room(self, now: float) -> float:
        if self.under_way < self._window:
            return 0.0
        if self.under_way >= MOST_UNDER_WAY or self._fastest < _CAREFUL_GAP:
            return inf
        gap = _CAREFUL_GAP if self._window < _CAREFUL else _GAP
        return max(self._grown_at, next(iter(self._under_way.values()))) + gap - now

    def _forget(self, now: float) -> None:
        while self._starts and self._starts[0] <= now - MINUTE - MARGIN:
            self._starts.popleft()

    def _take_back(self, start: float) -> None:
        if self._starts and self._starts[0] <= start:
            self._starts.remove(start)
