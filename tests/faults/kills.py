"""
Kill a run at every event that it has, and see that one clean run makes everything good.

`python -m tests.faults.kills --kills 2000` prints the figures of docs/reliability.md; the sample
in `check_kills.py` is part of `make check-all`.  The product has no hook for this: a preloaded
library counts what the process and its children do (`events.c`), and kills all of them.

The world before each run holds an entry for every kind of change.  What must be true afterwards
is worked out from the provider's and the folder's side, by comparison with a run that was left
alone, and by no code of the product.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import httpx
from starlette.types import Receive, Scope, Send

from provisioner.emulator import Call, CarryOut, Emulator
from tests.emulator.local import served
from tests.faults.answers import Server
from tests.faults.page import Page
from tests.repository import ALONE
from tests.storage.s3 import BUCKET, S3, served_s3

HERE = Path(__file__).parent
BACKENDS = ("folder", "s3", "git")
COMMANDS = ("apply", "keepalive", "destroy")
KILLED = -9
LATER = timedelta(minutes=100)
"""After the first apply: by then a refresh is due, and a cache has run out."""

_WORDS = "Beans are roasted at 200 degrees for a while, and then cooled down. "
_COPIES = 6
"""Of each entry, so that a run works on several things at once."""
_GEMINI = "provider: gemini"
_CLAUDE = "provider: claude, model: claude-sonnet-5-5"
_FIRST = {
    "kept": _GEMINI,
    "edited": _GEMINI,
    "lengthened": _GEMINI,
    "due": f"{_GEMINI}, ttl: 2h",
    "removed": _GEMINI,
    "dropped": f"{_GEMINI}, retire_after: 0s",
    "settled": _GEMINI,
    "former": _GEMINI,
    "noted": _CLAUDE,
    "switched": _GEMINI,
    "missing": _GEMINI,
    "expired": f"{_GEMINI}, ttl: 1h",
    "forgotten": _GEMINI,
    "stray": _GEMINI,
}
_SECOND = {
    "kept": _GEMINI,
    "edited": _GEMINI,
    "lengthened": f"{_GEMINI}, ttl: 20h",
    "due": f"{_GEMINI}, ttl: 2h",
    "settled": f"{_GEMINI}, retire_after: 2h",
    "named": _GEMINI,
    "noted": _CLAUDE,
    "switched": _CLAUDE,
    "missing": _GEMINI,
    "expired": f"{_GEMINI}, ttl: 1h",
    "forgotten": _GEMINI,
    "imported": _GEMINI,
    "created": _GEMINI,
}
_HEAD = """version: 1
stack: demo
publish: handles.json
defaults:
  gemini: {model: gemini-3.8-flash, ttl: 12h}
"""
_LETTERS = re.compile(r"~[a-z0-9]{4}$")


class Project:
    """A Gemini project on loopback whose past can be put back."""

    def __init__(self, folder: Path) -> None:
        self.offset = timedelta()
        self.created: Counter[str] = Counter()
        self.under_way = 0
        self.server: Server | None = None
        """What it does instead of answering, if set."""
        self._folder = folder
        self._emulator = self._opened(folder / "empty.sqlite3")

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def put(self, store: Path, *, at: datetime) -> None:
        """Be what *store* remembers, at that moment."""
        self._emulator.close()
        place = self._folder / "running.sqlite3"
        for left in self._folder.glob("running.sqlite3*"):
            left.unlink()
        shutil.copy(store, place)
        self.offset = at - datetime.now(UTC)
        self.created.clear()
        self._emulator = self._opened(place)

    def keep(self, store: Path) -> None:
        self._emulator.close()
        shutil.copy(self._folder / "running.sqlite3", store)
        self._emulator = self._opened(self._folder / "running.sqlite3")

    def empty(self, at: datetime) -> None:
        blank = self._folder / "blank.sqlite3"
        Emulator(blank, clock=self.now).close()
        self.put(blank, at=at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way += 1
        try:
            await self._emulator(scope, receive, send)
        finally:
            self.under_way -= 1

    def close(self) -> None:
        self._emulator.close()

    def _opened(self, store: Path) -> Emulator:
        return Emulator(store, clock=self.now, faults=self._counted)

    async def _counted(self, call: Call, carry_out: CarryOut) -> Any:  # noqa: ANN401  # a response
        async def done() -> Any:  # noqa: ANN401  # a response
            answer = await carry_out()
            if call.operation == "create" and answer.status_code == httpx.codes.OK:
                label = json.loads(bytes(answer.body)).get("displayName", "")
                self.created[_LETTERS.sub("", label)] += 1
            return answer

        return await (self.server(call, done) if self.server else done())


@dataclass
class World:
    """One worker's project, folder and processes."""

    root: Path
    url: str
    project: Project
    zygote: Zygote
    backend: str
    s3: S3 | None
    way: str = ""
    """Where commands reach the project, if not at its own address."""
    at: datetime = field(init=False)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.template = self.root / "template"
        self.place = self.root / "place"
        self.bucket = ""

    @property
    def stack(self) -> Path:
        return self.place / "stack"

    @property
    def environ(self) -> dict[str, str]:
        """What a run finds in its environment."""
        address = {
            "folder": "state",
            "git": "git+branch:state",
            "s3": f"s3://{BUCKET}/{self.bucket}",
        }[self.backend]
        return {
            **ALONE,
            **(self.s3.environ if self.s3 else {}),
            "GOOGLE_GEMINI_BASE_URL": self.way or self.url,
            "GEMINI_API_KEY": "k1",
            "CTXPROV_STATE": str(self.stack / address) if self.backend == "folder" else address,
            "CI": "",
        }

    def run(self, *words: str, target: int = 0, after: bool = False) -> Ended:
        """Run a command, to its end or to its event *target*."""
        return self.zygote.run(
            words, cwd=self.stack, environ=self.environ, target=target, after=after
        )

    def clean(self, *words: str) -> str:
        ended = self.run(*words)
        if ended.status != 0:
            raise AssertionError(f"ctxprov {' '.join(words)}: {ended.status}\n{ended.errors}")
        return ended.output

    def prepare(self) -> None:
        """Make the world with an entry for every kind of change, and keep it."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        if self.backend == "git":
            _remote(self.place)
        self.stack.mkdir(exist_ok=True)
        self._bucket()
        start = datetime.now(UTC)
        self.project.empty(start)
        self._write(_FIRST)
        self.clean("apply", "--auto-approve")
        adopted = [self._hand_made(at) for at in range(_COPIES)]
        # What is on the retiring list when the run begins, and has run out by then.
        self._write(_FIRST, edit="second")
        self.clean("apply", "--auto-approve")
        records = self.state()["caches"]
        for at in range(_COPIES):
            self._delete(records[f"missing-{at}"]["id"])
            for name in ("forgotten", "stray"):
                self.clean("state", "rm", f"{name}-{at}")
        self._write(_SECOND, edit="third", adopted=adopted)
        self.project.keep(self.root / "template.sqlite3")
        self.at = start + LATER
        shutil.rmtree(self.template, ignore_errors=True)
        shutil.copytree(self.place, self.template, symlinks=True)
        if self.s3:
            self._download()

    def reset(self) -> None:
        """Put the world back to where the run begins."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.template, self.place, symlinks=True)
        if self.s3:
            self._bucket()
            self._upload()
        self.project.put(self.root / "template.sqlite3", at=self.at)

    def settle(self) -> None:
        """Let the project finish what a killed process had asked of it."""
        deadline = time.monotonic() + 60
        while self.project.under_way:
            assert time.monotonic() < deadline, "the project is still at work"
            time.sleep(0.01)

    def unlock(self) -> None:
        """What a person does whose job was killed, where the lock does not end with its process."""
        owner = json.loads(self.clean("lock", "status", "--json"))["holder"]
        if owner:
            self.clean("unlock", owner["id"])

    def live(self) -> dict[str, dict[str, Any]]:
        caches: dict[str, dict[str, Any]] = {}
        answer = httpx.get(
            f"{self.url}/v1beta/cachedContents?pageSize=1000", headers={"x-goog-api-key": "k1"}
        )
        for one in answer.json().get("cachedContents", []):
            caches[one["name"]] = one
        return caches

    def state(self) -> Any:  # noqa: ANN401  # JSON
        return json.loads(self.clean("state", "pull"))

    def files(self) -> set[str]:
        """What lies in the stack's folder and in the state's, run numbers left out."""
        local = (path for path in self.stack.rglob("*") if path.is_file())
        names = {str(path.relative_to(self.stack)) for path in local}
        if self.s3:
            names |= {name.partition("/")[2] for name in self._keys()}
        names = {name for name in names if not name.startswith(".git/")}
        return {re.sub(r"\b\d+\b", "N", name) for name in names}

    def _write(
        self, entries: dict[str, str], *, edit: str = "", adopted: Sequence[str] = ()
    ) -> None:
        moved = "named" in entries
        moves = [f"{{from: former-{at}, to: named-{at}}}" for at in range(_COPIES)]
        lines = [_HEAD, *([f"moved: [{', '.join(moves)}]\n"] if moved else []), "caches:\n"]
        for name, more in entries.items():
            for at in range(_COPIES):
                adopt = f", adopt: {adopted[at]}" if name == "imported" else ""
                file = f"{'former' if name == 'named' else name}-{at}.md"
                lines.append(f"  {name}-{at}: {{{more}, content: {file}{adopt}}}\n")
                text = _text(file, edit if name in {"edited", "noted"} else "")
                (self.stack / file).write_text(text)
        (self.stack / "ctxprov.yaml").write_text("".join(lines))

    def _hand_made(self, at: int) -> str:
        body = {
            "model": "models/gemini-3.8-flash",
            "displayName": "made by hand",
            "ttl": "86400s",
            "contents": [{"role": "user", "parts": [{"text": _text(f"imported-{at}.md", "")}]}],
        }
        made = httpx.post(
            f"{self.url}/v1beta/cachedContents", json=body, headers={"x-goog-api-key": "k1"}
        )
        return str(made.raise_for_status().json()["name"])

    def _delete(self, id_: str) -> None:
        httpx.delete(
            f"{self.url}/v1beta/{id_}", headers={"x-goog-api-key": "k1"}
        ).raise_for_status()

    def _download(self) -> None:
        for key in self._keys():
            target = self.root / "objects" / key.partition("/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bytes(self._store.get(key).bytes()))

    def _upload(self) -> None:
        folder = self.root / "objects"
        for path in folder.rglob("*"):
            if path.is_file():
                self._store.put(f"{self.bucket}/{path.relative_to(folder)}", path.read_bytes())

    def _keys(self) -> list[str]:
        return [one["path"] for page in self._store.list(self.bucket) for one in page]

    @cached_property
    def _store(self) -> Any:  # noqa: ANN401  # an S3Store, imported by those who need one
        assert self.s3
        environ = self.s3.environ
        return import_module("obstore.store").S3Store(
            BUCKET,
            endpoint=environ["AWS_ENDPOINT_URL"],
            access_key_id=environ["AWS_ACCESS_KEY_ID"],
            secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            region=environ["AWS_REGION"],
            client_options={"allow_http": True},
        )

    def _bucket(self) -> None:
        """A prefix that no run has used."""
        if self.s3:
            if self.bucket and (keys := self._keys()):
                self._store.delete(keys)
            self.numbers += 1
            self.bucket = f"w{os.getpid()}-{self.numbers}"


@dataclass(frozen=True)
class Ended:
    """How a process ended, its events, and what it printed."""

    status: int
    events: int
    output: str
    errors: str


@dataclass
class Zygote:
    """The process that commands are forked from."""

    process: subprocess.Popen[str]
    folder: Path

    def run(
        self,
        words: Iterable[str],
        *,
        cwd: Path,
        environ: dict[str, str],
        target: int,
        after: bool,
    ) -> Ended:
        request = {
            "words": [*words],
            "cwd": str(cwd),
            "environ": environ,
            "target": target,
            "after": after,
            "output": str(self.folder / "output"),
            "errors": str(self.folder / "errors"),
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        output, errors = (self.folder / name for name in ("output", "errors"))
        return Ended(answer["status"], answer["events"], output.read_text(), errors.read_text())


@dataclass(frozen=True)
class Outcome:
    """What is true of the world after a run, in words that two runs can be compared by."""

    owned: frozenset[str]
    """Names on record whose cache lives."""
    doubled: frozenset[str]
    """Labels of ours that more than one cache carries which is neither retiring nor on record."""
    others: tuple[tuple[str, str], ...]
    """What became of each cache that was there before: gone, short or long."""
    created: tuple[tuple[str, int], ...]
    published: frozenset[str]
    files: frozenset[str]
    pending: int
    locked: bool


def outcome(world: World, before: dict[str, dict[str, Any]], *, declared: bool) -> Outcome:
    live, state = world.live(), world.state()
    ids = {name: record.get("id") for name, record in state["caches"].items()}
    retiring = set(state["retiring"])
    on_record = {id_ for id_ in ids.values() if id_}
    unknown = Counter(
        _LETTERS.sub("", one["displayName"])
        for id_, one in live.items()
        if id_ not in retiring | on_record | set(before)
    )
    handles = world.stack / "handles.json"
    published = json.loads(handles.read_text())["caches"] if handles.exists() else {}
    broken = [
        name
        for name, one in published.items()
        if "cache_name" in one["handle"] and one["handle"]["cache_name"] not in live
    ]
    assert not broken, f"published and dead: {broken}"
    pending = json.loads(world.clean("plan", "--json")) if declared else {"changes": []}
    owner = json.loads(world.clean("lock", "status", "--json"))["holder"]
    return Outcome(
        owned=frozenset(name for name, id_ in ids.items() if id_ in live),
        doubled=frozenset(unknown),
        others=tuple(sorted((id_, _fate(world, live.get(id_))) for id_ in before)),
        created=tuple(sorted(world.project.created.items())),
        published=frozenset(published),
        files=frozenset(world.files()),
        pending=sum(change["pending"] for change in pending["changes"]),
        locked=owner is not None,
    )


def _fate(world: World, cache: dict[str, Any] | None) -> str:
    if cache is None:
        return "gone"
    end = datetime.fromisoformat(cache["expireTime"])
    return "short" if end - world.project.now() < timedelta(hours=1, minutes=30) else "long"


def reference(world: World, command: str) -> tuple[Outcome, int]:
    """What a run that is left alone makes of the world, and how many events it has."""
    world.reset()
    before = world.live()
    ended = world.run(*_words(command))
    assert ended.status == 0, ended.errors
    return outcome(world, before, declared=command != "destroy"), ended.events


def kill(world: World, command: str, target: int, *, after: bool) -> tuple[Outcome, bool]:
    """The world after a run that died at its event *target* and a clean one; whether it died."""
    world.reset()
    before = world.live()
    ended = world.run(*_words(command), target=target, after=after)
    world.settle()
    if world.backend != "folder":
        world.unlock()
    again = world.run(*_words(command))
    where = f"{world.backend}, {command}, event {target}"
    assert again.status == 0, f"the clean run after {where}: {again.status}\n{again.errors}"
    return outcome(world, before, declared=command != "destroy"), ended.status == KILLED


def _words(command: str) -> tuple[str, ...]:
    return (command,) if command == "keepalive" else (command, "--auto-approve")


def _text(name: str, edit: str) -> str:
    return f"# {name}, {edit}\n" + _WORDS * 700


def _remote(place: Path) -> None:
    def git(folder: Path, *words: str) -> None:
        subprocess.run(
            ["git", "-C", str(folder), *words],
            check=True,
            capture_output=True,
            env={**os.environ, **ALONE},
        )

    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(place, "init", "--quiet", "--initial-branch=main", "stack")
    git(place / "stack", "remote", "add", "origin", "../remote.git")
    git(place / "stack", "commit", "--quiet", "--allow-empty", "-m", "one")
    git(place / "stack", "push", "--quiet", "origin", "main")


@contextmanager
def opened(backend: str) -> Iterator[World]:
    """A world of its own, prepared."""
    with ExitStack() as stack:
        shm = Path("/dev/shm")  # noqa: S108  # a memory file system, where there is one
        root = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None, prefix="kills-")
            )
        )
        project = Project(root)
        stack.callback(project.close)
        url = stack.enter_context(served(cast("Emulator", project)))
        s3 = stack.enter_context(served_s3()) if backend == "s3" else None
        zygote = stack.enter_context(_zygote(root))
        world = World(root=root, url=url, project=project, zygote=zygote, backend=backend, s3=s3)
        world.prepare()
        yield world


@contextmanager
def _zygote(root: Path) -> Iterator[Zygote]:
    library, page = root / "events.so", root / "page"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "events.c"), "-ldl"],
        check=True,
    )
    page.write_bytes(bytes(Page.SIZE))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("CTXPROV_")}
    environ |= {"LD_PRELOAD": str(library), "KILL_PAGE": str(page), "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.zygote"],
        cwd=HERE.parent.parent,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Zygote(process, root)
        assert process.stdin
        process.stdin.close()


def campaign(kills: int, *, seed: int, backends: Sequence[str] = BACKENDS) -> Iterator[str]:
    """Kill that many runs, spread over backends and commands; a line of figures for each."""
    choose = random.Random(seed)  # noqa: S311  # a sample
    shares = [(backend, command) for backend in backends for command in COMMANDS]
    for backend in backends:
        with opened(backend) as world:
            for command in COMMANDS:
                expected, events = reference(world, command)
                points = [(at, after) for at in range(1, events + 1) for after in (False, True)]
                share = min(len(points), kills // len(shares))
                died = 0
                for at, after in sorted(choose.sample(points, share)):
                    seen, is_dead = kill(world, command, at, after=after)
                    died += is_dead
                    where = f"{backend}, {command}, {'after' if after else 'before'} event {at}"
                    assert seen == expected, f"{where}:\n{seen}\nexpected:\n{expected}"
                yield f"| {backend} | {command} | {events} | {died} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill runs and see that one clean run converges.")
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    asked = parser.parse_args()
    print("| backend | command | events of a whole run | killed runs |")
    print("|---|---|---|---|")
    for line in campaign(asked.kills, seed=asked.seed, backends=asked.backend or BACKENDS):
        print(line, flush=True)


if __name__ == "__main__":
    main()
