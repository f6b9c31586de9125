"""
A project as slow as the real one: a create takes seconds, and a quota allows so many a minute.

`python -m benchmarks.slow_project --takes 2.4 --quota 10` prints its URL, and when it is asked to
end, how many creates it accepted and refused, and the seconds from the first to the last, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque
from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response

from provisioner.emulator import Call, CarryOut, Emulator, serve

MINUTE = 60.0


class Quota:
    """Stands around each call: at most so many creates arrive in any sixty seconds."""

    def __init__(self, *, takes: float, a_minute: int) -> None:
        self.accepted = self.refused = 0
        self.began = self.ended = 0.0
        """When the first create arrived, and when the last one was answered."""
        self._takes = takes
        self._a_minute = a_minute
        """0: as many as come."""
        self._arrivals: deque[float] = deque()

    async def __call__(self, call: Call, carry_out: CarryOut) -> Response:
        if call.operation != "create":
            return await carry_out()
        now = time.monotonic()
        self.began = self.began or now
        while self._arrivals and self._arrivals[0] <= now - MINUTE:
            self._arrivals.popleft()
        if self._a_minute and len(self._arrivals) >= self._a_minute:
            self.refused += 1
            return JSONResponse(
                {
                    "error": {
                        "code": 429,
                        "message": "Quota exceeded",
                        "status": "RESOURCE_EXHAUSTED",
                    }
                },
                429,
            )
        self.accepted += 1
        self._arrivals.append(now)
        await asyncio.sleep(self._takes)
        answer = await carry_out()
        self.ended = time.monotonic()
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=float, required=True, help="seconds for a create")
    parser.add_argument("--quota", type=int, required=True, help="creates a minute; 0: no quota")
    asked = parser.parse_args()
    quota = Quota(takes=asked.takes, a_minute=asked.quota)
    emulator = Emulator(clock=lambda: datetime.now(UTC), faults=quota, min_tokens=0)
    asyncio.run(serve(emulator, port=0, on_ready=lambda url: print(url, flush=True)))
    emulator.close()
    figures = {
        "accepted": quota.accepted,
        "refused": quota.refused,
        "seconds": quota.ended - quota.began,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
