"""
Run `apply` over a wire and a server that fail at random, and see what is there in the end.

`python -m tests.faults.commands --runs 300` prints the figures of docs/reliability.md; a sample
is part of `make check-all`.  However a run goes, a clean one afterwards leaves one live cache on
record for each entry; what else carries the stack's label is retiring, or a STRAY of the next plan.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from provisioner.emulator import Broken, Call, CarryOut
from tests.faults.kills import World, opened
from tests.faults.wire import Cut, Fault, Side, Wire, broken

_ENTRIES = 6
OK = 200
_MOST = 5
"""Faults of a run; beyond that the world is sound, so that every run ends."""
_WORDS = "Beans are roasted at 200 degrees for a while, and then cooled down. "


class Weather:
    """What fails in one run, by its seed."""

    def __init__(self, seed: int) -> None:
        self.happened: Counter[str] = Counter()
        self._choose = random.Random(seed)  # noqa: S311  # a sample

    def on_the_wire(self, request: bytes) -> Fault | None:
        del request
        if not self._strikes():
            return None
        side = self._choose.choice([*Side])
        reset = self._choose.random() < 1 / 2
        self.happened[f"{side} cut"] += 1
        return Cut(side=side, at=self._choose.randrange(600), reset=reset)

    async def at_the_server(self, call: Call, carry_out: CarryOut) -> Response:
        answer = await carry_out()
        if call.operation not in {"create", "list"} or answer.status_code != OK:
            return answer
        if not self._strikes():
            return answer
        if call.operation == "create":
            return self._lost()
        return self._untrue(answer)

    def _strikes(self) -> bool:
        return self.happened.total() < _MOST and self._choose.random() < 1 / 4

    def _lost(self) -> Response:
        kind = self._choose.choice(["409", "499", "500", "503", "html", "broken"])
        self.happened[f"create done, answer {kind}"] += 1
        match kind:
            case "broken":
                return Broken()
            case "html":
                return Response("<html>", 200)
            case _:
                error = {"error": {"code": int(kind), "message": "no", "status": "X"}}
                return Response(json.dumps(error), int(kind), media_type="application/json")

    def _untrue(self, answer: Response) -> Response:
        page = json.loads(bytes(answer.body))
        caches: list[Any] = page.get("cachedContents", [])
        kind = self._choose.choice(["lags", "half", "odd", "other models"])
        self.happened[f"LIST {kind}"] += 1
        match kind:
            case "lags":
                young = (datetime.now(UTC) - timedelta(seconds=2)).isoformat()
                caches = [cache for cache in caches if cache["createTime"] < young]
            case "half":
                caches = caches[::2]
            case "odd":
                caches = [{}, {"name": "cachedContents/../x"}, *caches]
            case _:
                caches = [{**cache, "model": "models/gemini-9-flash"} for cache in caches]
        page["cachedContents"] = caches
        return Response(json.dumps(page), 200, media_type="application/json")


@contextmanager
def worlds() -> Iterator[tuple[World, Wire]]:
    with opened("folder") as world, broken(world.url) as (url, wire):
        world.way = url
        yield world, wire


def run(world: World, wire: Wire, seed: int) -> Counter[str]:
    """Apply in bad weather, then twice in good; what happened, and how it ended."""
    _begin(world)
    weather = Weather(seed)
    wire.choose, world.project.server = weather.on_the_wire, weather.at_the_server
    ended = world.run("apply", "--auto-approve")
    wire.choose, world.project.server = (lambda _: None), None
    assert ended.status in {0, 1}, f"seed {seed}: {ended.status}\n{ended.errors}"
    world.settle()
    world.clean("apply", "--auto-approve")
    records, live = world.state(), world.live()
    on_record = {record["id"] for record in records["caches"].values()}
    assert len(on_record) == _ENTRIES, f"seed {seed}"
    assert on_record <= live.keys(), f"seed {seed}: on record and dead"
    others = live.keys() - on_record - records["retiring"].keys()
    plan = json.loads(world.clean("plan", "--json"))
    strays = {change["before"]["id"] for change in plan["changes"] if change["reason"] == "stray"}
    assert others <= strays, f"seed {seed}: not named by the plan"
    assert not plan["summary"]["create"], f"seed {seed}"
    return Counter(
        {
            **weather.happened,
            "runs": 1,
            "runs that failed": ended.status,
            "creates": world.project.created.total(),
            "retired by the run itself": len(records["retiring"]),
            "strays": len(others),
        }
    )


def _begin(world: World) -> None:
    shutil.rmtree(world.place, ignore_errors=True)
    world.stack.mkdir(parents=True)
    lines = ["version: 1\nstack: demo\npublish: handles.json\n"]
    lines += ["defaults: {gemini: {model: gemini-3.8-flash, ttl: 12h}}\ncaches:\n"]
    for number in range(_ENTRIES):
        lines.append(f"  c{number}: {{provider: gemini, content: c{number}.md}}\n")
        (world.stack / f"c{number}.md").write_text(f"# {number}\n" + _WORDS * 700)
    (world.stack / "ctxprov.yaml").write_text("".join(lines))
    world.project.empty(datetime.now(UTC))


def campaign(runs: int, *, seed: int) -> Counter[str]:
    total: Counter[str] = Counter()
    with worlds() as (world, wire):
        for number in range(runs):
            total += run(world, wire, seed + number)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description="Apply over a wire and a server that fail.")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print("| what happened | times |")
    print("|---|---|")
    for name, times in sorted(campaign(asked.runs, seed=asked.seed).items()):
        print(f"| {name} | {times} |")


if __name__ == "__main__":
    main()
