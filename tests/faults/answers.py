"""
Lose the answer of a create at every byte, and see that one cache is made.

`python -m tests.faults.answers` prints the figures of docs/reliability.md; `check_answers.py` is
part of `make check-all`.  The library's create runs over the wire of `wire.py` against an
emulator whose own faults stand behind it: refusals, LISTs that lag, lie or hold odd entries, other
models echoed, wrong dates.  What is counted is what the emulator holds at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias, TypeVar

from starlette.responses import Response

from provisioner import GeminiContextCache
from provisioner.emulator import Broken, Call, CarryOut, Emulator
from provisioner.errors import CacheError
from tests.emulator.local import served
from tests.faults.wire import Cut, Fault, Late, Side, Wire, broken

KEY = "AIza-made-up-key-0123456789"
CONTENT = "one"
_DIGEST = "0123456789abcdef"
_TIMEOUT = 1.0
"""Seconds until the client gives a create up; the emulator answers in a hundredth of that."""

Server: TypeAlias = Callable[[Call, CarryOut], Awaitable[Response]]


@dataclass
class Bench:
    """A client, its wire to an emulator, and the faults of both."""

    wire: Wire
    client: GeminiContextCache
    server: list[Server] = field(default_factory=list)
    """At most one: what the emulator does instead of answering."""
    numbers: Iterator[int] = field(default_factory=count)

    def label(self) -> str:
        letters = f"{next(self.numbers):04}".translate(str.maketrans("0123456789", "abcdefghij"))
        return f"ctxprov:demo/a@{_DIGEST}~{letters}"

    async def create(self, label: str) -> str | None:
        """The id that the library's create returns, or None if it refuses."""
        try:
            made = await self.client.create(CONTENT, label=label)
        except CacheError:
            return None
        return made.handle.cache_name

    async def ensure(self, label: str) -> str:
        return (await self.client.ensure(CONTENT, label=label)).handle.cache_name

    async def held(self, label: str) -> list[str]:
        """Ids that the emulator holds under *label*; it forgets them, so that LISTs stay short."""
        caches = [one for one in await self.client.list() if one.display_name == label]
        for cache in caches:
            await self.client.delete_cache(cache.handle)
        return [cache.handle.cache_name for cache in caches]


async def _briefly(seconds: float) -> None:
    """The server finishes within a moment, so the pauses of a client need not be long."""
    await asyncio.sleep(min(seconds, 0.01))


@contextmanager
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        servers: list[Server] = []

        async def faults(call: Call, carry_out: CarryOut) -> Response:
            return await (servers[0](call, carry_out) if servers else carry_out())

        emulator = Emulator(clock=lambda: datetime.now(UTC), min_tokens=1, faults=faults)
        stack.callback(emulator.close)
        url, wire = stack.enter_context(broken(stack.enter_context(served(emulator))))
        client = GeminiContextCache(KEY, url, create_timeout=_TIMEOUT, sleep=_briefly)
        yield Bench(wire, client, servers)


async def one_cache(bench: Bench, fault: Fault | None, *, on: bytes = b"POST") -> bool:
    """
    Create a cache while *fault* happens to the first request that is *on* the wire.

    Afterwards one cache is there, whether the create returned it or a later `ensure` took it;
    whether the fault came to happen.
    """
    label, left = bench.label(), [fault] if fault else []

    def choose(request: bytes) -> Fault | None:
        return left.pop() if left and request.startswith(on) else None

    bench.wire.choose = choose
    made = await bench.create(label)
    bench.wire.choose = lambda _: None
    again = await bench.ensure(label)
    held = await bench.held(label)
    assert held == [again], f"{fault}: {held}"
    assert made in {None, again}, f"{fault}: create says {made}, and {again} is there"
    return not left


async def sizes(bench: Bench) -> tuple[int, int]:
    """Bytes of a create and of its answer."""
    bench.wire.sizes.clear()
    await one_cache(bench, None)
    return bench.wire.sizes[0]


async def at_every_byte(bench: Bench, *, step: int = 1) -> dict[str, int]:
    """Break the wire at every byte of a create and its answer; how many faults of each kind."""
    request, answer = await sizes(bench)
    cut = dict[str, int]()
    for side, size in ((Side.REQUEST, request), (Side.ANSWER, answer)):
        for reset in (False, True):
            points = range(0, size + (side is Side.REQUEST), step)
            done = [await one_cache(bench, Cut(side=side, at=at, reset=reset)) for at in points]
            cut[f"{side} cut by {'a reset' if reset else 'an end'}"] = sum(done)
    return cut


async def while_looking(bench: Bench, *, step: int = 1) -> int:
    """Lose the answer of a create, and break the LIST that looks for it at every byte."""
    faults = 0
    for at in range(0, 900, step):
        label = bench.label()
        plan: list[tuple[bytes, Fault]] = [
            (b"GET", Cut(side=Side.ANSWER, at=at)),
            (b"POST", Cut(side=Side.ANSWER, at=0)),
        ]

        def choose(request: bytes, plan: list[tuple[bytes, Fault]] = plan) -> Fault | None:
            return plan.pop()[1] if plan and request.startswith(plan[-1][0]) else None

        bench.wire.choose = choose
        made = await bench.create(label)
        bench.wire.choose = lambda _: None
        again = await bench.ensure(label)
        assert await bench.held(label) == [again], f"the LIST broke at {at}"
        assert made in {None, again}
        faults += not plan
    return faults


def _error(status: int, *, wait: str | None = None) -> Response:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}]
    error = {"code": status, "message": "no", "status": "X", "details": details if wait else []}
    return Response(json.dumps({"error": error}), status, media_type="application/json")


def servers() -> dict[str, Callable[[], Server]]:
    """What a server may do to the first create and the LISTs after it, by name."""
    return {
        "429 without a hint": lambda: _once(lambda _: _error(429)),
        "429 with a hint": lambda: _once(lambda _: _error(429, wait="0.05s")),
        "409 after it was done": lambda: _once(lambda _: _error(409), after=True),
        "499 after it was done": lambda: _once(lambda _: _error(499), after=True),
        "500 before": lambda: _once(lambda _: _error(500)),
        "500 after it was done": lambda: _once(lambda _: _error(500), after=True),
        "503 after it was done": lambda: _once(lambda _: _error(503), after=True),
        "an answer that is no JSON": lambda: _once(lambda _: Response("<html>", 200), after=True),
        "a socket that is cut": lambda: _once(lambda _: Broken(), after=True),
        "another model echoed": lambda: _once(_other_model, after=True, lists=_other_models),
        "a LIST with odd entries": lambda: _once(
            lambda _: _error(500), after=True, lists=_odd_entries
        ),
        "a wrong date": lambda: _once(lambda _: _error(500), after=True, lists=_wrong_date),
    }


def _once(
    instead: Callable[[Response], Response],
    *,
    after: bool = False,
    lists: Callable[[Response], Response] = lambda answer: answer,
) -> Server:
    """Do it to the first create; what each LIST says goes through *lists*."""
    left = [instead]

    async def server(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "list":
            return lists(await carry_out())
        if call.operation != "create" or not left:
            return await carry_out()
        do = left.pop()
        return do(await carry_out() if after else Response())

    return server


def _rewritten(answer: Response, change: Callable[[Any], object]) -> Response:
    document = json.loads(bytes(answer.body))
    change(document)
    return Response(json.dumps(document), answer.status_code, media_type="application/json")


def _other_model(answer: Response) -> Response:
    return _rewritten(answer, lambda cache: cache.update(model="models/gemini-9-flash"))


def _other_models(answer: Response) -> Response:
    def change(page: Any) -> None:  # noqa: ANN401  # JSON
        for cache in page.get("cachedContents", []):
            cache["model"] = "models/gemini-9-flash"

    return _rewritten(answer, change)


def _odd_entries(answer: Response) -> Response:
    def change(page: Any) -> None:  # noqa: ANN401  # JSON
        odd = [{}, {"name": "cachedContents/../x"}, {"name": "cachedContents/odd", "model": 7}]
        page["cachedContents"] = [*odd, *page.get("cachedContents", [])]

    return _rewritten(answer, change)


def _wrong_date(answer: Response) -> Response:
    answer.headers["date"] = (datetime.now(UTC) + timedelta(days=1)).strftime(
        "%a, %d %b %Y %H:%M:%S GMT"
    )
    return answer


async def one_cache_behind(bench: Bench, server: Server) -> None:
    """Create a cache at a faulty *server*; then it is sound, and one cache is there."""
    label = bench.label()
    bench.server[:] = [server]
    made = await bench.create(label)
    bench.server.clear()
    again = await bench.ensure(label)
    assert await bench.held(label) == [again]
    assert made in {None, again}


T = TypeVar("T")


def on_a_bench(work: Callable[[Bench], Awaitable[T]]) -> T:
    """Do *work* with a server, a wire and a client of its own."""

    async def run() -> T:
        with bench() as one:
            async with one.client:
                return await work(one)

    return asyncio.run(run())


async def figures(one: Bench) -> list[tuple[str, int]]:
    rows = [*(await at_every_byte(one)).items()]
    rows.append(("answer lost, and the LIST cut", await while_looking(one)))
    for name, make in servers().items():
        await one_cache_behind(one, make())
        rows.append((name, 1))
    rows.append(("answer too late", sum([await one_cache(one, Late()) for _ in range(5)])))
    return rows


def main() -> None:
    print("| what happened to a create | runs |")
    print("|---|---|")
    for name, runs in on_a_bench(figures):
        print(f"| {name} | {runs} |")


if __name__ == "__main__":
    main()
