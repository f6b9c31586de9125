"""
Feed every reader of foreign bytes with damaged ones: it answers, or refuses in the words it has.

`python -m tests.faults.fuzz --inputs 10000000` prints the figures of docs/reliability.md; the
sample in `check_fuzz.py` is part of `make check-all`.  An input is a valid document of which
bytes or JSON nodes were changed, or two that were spliced.  Any exception but the declared ones
is a finding, and so is an answer that cannot be written again.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from msgspec import Struct

from provisioner.cache import Json, handle_from_json
from provisioner.documents import utf8
from provisioner.errors import CacheError, CtxprovError, ManifestError
from provisioner.escape import json_text, markdown, plain
from provisioner.handles import parse_published
from provisioner.manifest import load_manifest
from provisioner.model.attributes import Label
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.refusals import error_of, read_refusal, read_retry_after
from provisioner.state.history import parse_history
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.storage.lock_owner import parse_lock_owner
from provisioner.storage.terraform_format import parse_state as parse_terraform
from provisioner.times import duration_text, moment_text, parse_duration, parse_moment
from provisioner.view.plan_reader import read_plans
from tests.builders import NOW, annotation, desired, noted, recorded, retiring, state
from tests.render.fixtures import PLAN, view

_ODD_BYTES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\x1b[2J",
    b"\xed\xa0\x80",
    b"9" * 40,
)
_ODD_NODES: Sequence[Json] = (
    None, True, 0, -1, 2**63, 2**70, 1e308, "", "a" * 200, "\0", "\ud7ff\u202e",
    "9999-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "-1s", "cachedContents/../x", "1/0",
    "\u0660", [], {}, [[]], {"": {}},
)  # fmt: skip
_DEEP = b"[" * 3000


class Target(Struct, frozen=True):
    """A reader, what to damage, and what it may raise."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    weight: int = 1
    """How many inputs it gets of each round."""


def targets(folder: Path) -> tuple[Target, ...]:
    """Every reader of foreign bytes; *folder* is for those that read files."""
    return (
        Target("label", _label, (b"ctxprov:demo.prod/faq@0123456789abcdef~abcd",), 40),
        Target("duration", _duration, (b"1h30m", b"90s", b"2d"), 30),
        Target("moment", _moment, _MOMENTS, 30),
        Target("escape", _escape, (b"a | b <b> `c`\n\x1b[31m", "ünïcode \u202e".encode()), 10),
        Target("handle", _handle, (_HANDLE,), 20),
        Target("list page", _page, (_PAGE,), 20),
        Target("refusal", _refusal, (_REFUSAL, b"<html>Bad gateway</html>"), 20),
        Target("retry-after", _retry_after, (b"30", b"Mon, 30 Nov 2026 10:00:00 GMT"), 10),
        Target("lock", parse_lock_owner, (_LOCK_OWNER,), 20),
        Target("terraform state", _terraform, (_TERRAFORM,), 10),
        Target("history", _history, (b'{"version": 1, "stack": "demo", "runs": []}',), 10),
        Target("handles", _handles, (_HANDLES,), 10),
        Target("state", _state, (_STATE,), 10),
        Target("plan", _plan, (_PLAN,), 1),
        Target("manifest", _manifest_in(folder), (_MANIFEST,), 1),
    )  # fmt: skip


def _label(raw: bytes) -> None:
    label = Label.parse(_text(raw))
    assert label is None or Label.parse(str(label)) == label


def _duration(raw: bytes) -> None:
    with suppress(ValueError):
        span = parse_duration(_text(raw))
        assert parse_duration(duration_text(span)) == span


def _moment(raw: bytes) -> None:
    with suppress(ValueError):
        moment = parse_moment(_text(raw))
        assert parse_moment(moment_text(moment)) == moment


def _escape(raw: bytes) -> None:
    for escaped in (plain(_text(raw)), markdown(_text(raw))):
        assert escaped.replace("\u00a0", " ").isprintable() or not escaped


def _handle(raw: bytes) -> None:
    with suppress(ValueError):
        handle = handle_from_json(orjson.loads(raw))
        assert handle_from_json(handle.as_json()) == handle


def _page(raw: bytes) -> None:
    with suppress(ValueError, CacheError):
        wire.read_page(orjson.loads(raw))


def _refusal(raw: bytes) -> None:
    refusal = read_refusal(429, {}, raw, now=NOW, redact=str)
    error = error_of(refusal, endpoint="https://host/v1beta", names_cache=False)
    assert plain(str(error)).isprintable()


def _retry_after(raw: bytes) -> None:
    read_retry_after(_text(raw), NOW)


def _terraform(raw: bytes) -> None:
    with suppress(ValueError, CtxprovError):
        parse_terraform(raw)


def _history(raw: bytes) -> None:
    with suppress(CtxprovError):
        parse_history(raw, where="runs.json")


def _handles(raw: bytes) -> None:
    with suppress(CtxprovError):
        parse_published(raw, where="handles.json")


def _state(raw: bytes) -> None:
    with suppress(CtxprovError):
        read = parse_state(raw, where="demo.json", stack="demo")
        assert parse_state(state_bytes(read), where="demo.json", stack="demo") == read


def _plan(raw: bytes) -> None:
    with suppress(CtxprovError):
        for one in read_plans(raw, where="plan.json"):
            assert json_text(one)


def _manifest_in(folder: Path) -> Callable[[bytes], None]:
    def read(raw: bytes) -> None:
        (folder / "ctxprov.yaml").write_bytes(raw)
        with suppress(ManifestError):
            load_manifest(folder)

    return read


def _text(raw: bytes) -> str:
    return utf8_or_not(raw).decode(errors="surrogateescape").encode(errors="replace").decode()


def utf8_or_not(raw: bytes) -> bytes:
    try:
        return utf8(raw)
    except ValueError:
        return raw


def inputs(target: Target, choose: random.Random) -> Iterator[bytes]:
    """Endless damaged documents."""
    parsed = [_parsed(seed) for seed in target.seeds]
    for seed, json_seed in cycle(zip(target.seeds, parsed, strict=True)):
        yield _damaged(seed, target.seeds, choose)
        if json_seed is not None:
            yield _with_an_odd_node(json_seed, choose)


def _damaged(raw: bytes, others: Sequence[bytes], choose: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(choose.randint(1, 4)):
        at = choose.randrange(len(data) + 1)
        match choose.randrange(6):
            case 0:
                data[at:at] = choose.choice(_ODD_BYTES)
            case 1:
                del data[at : at + choose.randint(1, 9)]
            case 2:
                data[at : at + 1] = bytes([choose.randrange(256)])
            case 3:
                data[at:] = choose.choice(others)[at:]
            case 4:
                data[at:at] = data[at : at + choose.randint(1, 30)]
            case _ if choose.randrange(500) == 0:
                data[at:at] = _DEEP
    return bytes(data)


def _with_an_odd_node(document: Json, choose: random.Random) -> bytes:
    root: list[Any] = [copy.deepcopy(document)]
    place, key = choose.choice([*_places(root)])
    match choose.randrange(4):
        case 0 if isinstance(place, dict):
            del place[key]
        case 1 if isinstance(place, dict):
            place[f"{key}_"] = choose.choice(_ODD_NODES)
        case _:
            place[key] = choose.choice(_ODD_NODES)
    return json.dumps(root[0]).encode() if root else b""


def _places(node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  # JSON
    if isinstance(node, dict | list):
        for key in [*(node if isinstance(node, dict) else range(len(node)))]:
            yield node, key
            yield from _places(node[key])


def _parsed(raw: bytes) -> Json:
    try:
        parsed: Json = json.loads(raw)
    except ValueError:
        return None
    return parsed


def fuzz(count: int, seed: int) -> dict[str, int]:
    """Feed about *count* inputs; how many each target got.  Raises AssertionError for a finding."""
    choose = random.Random(seed)  # noqa: S311  # a sample
    given: dict[str, int] = {}
    with TemporaryDirectory(prefix="fuzz-") as place:
        every = targets(Path(place))
        streams = [(target, inputs(target, choose)) for target in every]
        rounds = max(1, count // sum(target.weight for target in every))
        for _ in range(rounds):
            for target, stream in streams:
                for _ in range(target.weight):
                    _feed(target, next(stream))
        for target in every:
            given[target.name] = rounds * target.weight
    return given


def _feed(target: Target, raw: bytes) -> None:
    try:
        target.read(raw)
    except Exception as error:
        raise AssertionError(f"{target.name}: {type(error).__name__}: {error}: {raw!r}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description="Damage every document that ctxprov reads.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    asked = parser.parse_args()
    shares = (os.cpu_count() or 1) * 8
    with Pool() as pool:
        parts = pool.starmap(
            fuzz, [(asked.inputs // shares + 1, asked.seed + share) for share in range(shares)]
        )
    for name in parts[0]:
        print(f"| {name} | {sum(part[name] for part in parts):,} |")
    print(f"| all | {sum(sum(part.values()) for part in parts):,} |")


_CACHE = {
    "name": "cachedContents/abc",
    "model": "models/gemini-3.8-flash",
    "displayName": "ctxprov:demo/a@0123456789abcdef~abcd",
    "createTime": "2026-11-22T21:00:00.512345Z",
    "updateTime": "2026-11-22T21:00:00.512345Z",
    "expireTime": "2026-11-22T22:00:00.123456789Z",
    "usageMetadata": {"totalTokenCount": 5120},
}
_PAGE = json.dumps({"cachedContents": [_CACHE, _CACHE], "nextPageToken": "x"}).encode()
_REFUSAL = json.dumps(
    {
        "error": {
            "code": 429,
            "message": "Quota exceeded",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
            ],
        }
    }
).encode()
_LOCK_OWNER = json.dumps(
    {"id": "a", "who": "ann@build", "pid": 1, "operation": "apply", "since": "2026-01-01T00:00:00Z",
     "job": None, "commit": None, "until": "2026-01-01T00:01:00Z"}
).encode()  # fmt: skip
_MOMENTS = (b"2026-11-30T10:00:00.123456789Z", b"2026-11-30T10:00:00+02:00")
_HANDLE = b'{"provider": "gemini", "cache_name": "cachedContents/a"}'
_TERRAFORM = json.dumps(
    {
        "version": 4,
        "serial": 1,
        "lineage": "x",
        "outputs": {"ctxprov": {"value": "e30=", "type": "string"}},
    }
).encode()
_HANDLES = json.dumps(
    {
        "version": 1,
        "stack": "demo",
        "generated_at": "2026-01-01T00:00:00Z",
        "caches": {
            "a": {
                "handle": json.loads(_HANDLE),
                "model": "m",
                "digest": "d",
                "expires_at": "2026-01-01T00:00:00Z",
                "previous": None,
            }
        },
    }
).encode()
_STATE = state_bytes(
    state(recorded(desired("a")), noted(annotation("b")), retiring=(retiring(desired("c")),))
)
_PLAN = json_text(view(PLAN)).encode()
_MANIFEST = b"""version: 1
stack: demo
publish: handles.json
defaults:
  gemini: &g {model: gemini-3.8-flash, ttl: 12h, refresh_before: 25%}
caches:
  a: {provider: gemini, content: [a.md, {text: "x"}, {uri: "gs://b/c", mime_type: application/pdf}]}
  b: {<<: *g, provider: gemini, content: b.md, expires_at: 2027-01-01T00:00:00Z}
  c: {provider: claude, model: claude-sonnet-5-5, content: c.md, ttl: 5m}
limits: {delete: 3, rent_per_hour: 0.5}
environments: {prod: {publish: prod.json}}
moved: [{from: x, to: a}]
"""

if __name__ == "__main__":
    main()
