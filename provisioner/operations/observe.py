"""
See what is live: one LIST, then a GET for recorded, unexpired caches that it did not show.

The run asks for up to 20 one by one, for 20 at random of more than that: if one of those answers,
the LIST is not whole, and the others count as alive by their records.

How far a provider's clock is ahead of this machine's is decided by the Date of its answers, carried
on by the seconds since boot; without one by the newest time that a cache bears.  Two clocks differ
only as far as the answer proves it: it was written between the sending of its request and its
arrival.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.errors import ParseError, Refused
from provisioner.model.attributes import Label
from provisioner.model.facts import Scope, State
from provisioner.model.records import Desired, DesiredCache, LiveCache, RecordedCache, RetiringCache
from provisioner.operations.session import Ports, Session
from provisioner.operations.stack_location import StackLocation, project_in
from provisioner.planner.transitions import surviving
from provisioner.providers.gemini import GeminiContextCache
from provisioner.providers.gemini.api import ServerDate
from provisioner.state import admit
from provisioner.times import moment_text

_WORTH_A_WARNING = timedelta(minutes=2)
_RESOLUTION = timedelta(seconds=1)
"""A Date has whole seconds."""
_AT_ONCE = 8
_ASKED = 20
"""GET asks for at most so many recorded caches that a LIST lacks."""


class Observation(Struct, frozen=True, kw_only=True):
    """What is live; and the scope it was seen in and the way there, by provider."""

    at: datetime
    """When it was seen, by the local clock."""
    boot: float
    """The same in seconds since boot."""
    ahead: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    """How far each provider's clock is ahead of the local one."""
    live: tuple[LiveCache, ...] = ()
    scopes: Mapping[str, Scope] = field(default_factory=lambda: MappingProxyType({}))
    clients: Mapping[str, GeminiContextCache] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def now(self) -> datetime:
        """The moment by the clocks of the providers."""
        return self.at + max(self.ahead.values(), default=timedelta())

    def present(self, boot: float) -> datetime:
        """The moment by their clocks at *boot*; a local clock that jumped changes nothing."""
        return self.now + timedelta(seconds=boot - self.boot)

    def later(self, when: datetime | timedelta | None) -> Observation:
        """What is to be seen after a time, or at a moment by the providers' clocks."""
        match when:
            case None:
                return self
            case timedelta():
                at = self.at + when
            case datetime():
                at = when - max(self.ahead.values(), default=timedelta())
        return self.at_local(at)

    def at_local(self, at: datetime) -> Observation:
        """What is to be seen at a moment by the local clock, if only time passes."""
        live = surviving(self.live, since=self.at, at=at, ahead=self.ahead)
        return replace(self, at=at, live=live)


async def observe(
    session: Session, location: StackLocation, desired: Iterable[Desired], state: State
) -> Observation:
    """
    Ask for every project that this stack declares or remembers, also with nothing on record.

    Only one that no entry uses is left out if its key is not at hand, with a warning.  Warns
    where a provider's clock and this machine's differ.

    Raises `CacheError`, and `ScopeRefused` if what is recorded is in another project.
    """
    live: list[LiveCache] = []
    scopes, opened = {}, {}
    clients, ports = session.clients, session.ports
    for name in sorted(_concerned(desired, state, location, session)):
        client = await clients.client(project_in(location.store, name), _key_env(location, name))
        listed = await clients.listed(client)
        _check_readable(client, state.stack)
        shown = frozenset(seen.handle.cache_name for seen in listed)
        now = ports.now() + ahead_of(session, client, listed)
        expected = {record.id: record for record in _expected(state, name, now)}
        scopes[name] = admit(
            state.providers.get(name),
            Scope(endpoint=client.endpoint, keys=(client.key_fingerprint,)),
            expected=expected,
            shown=shown,
            accept=session.options.accept_scope,
        )
        hidden = [record for id_, record in expected.items() if id_ not in shown]
        sample = hidden if len(hidden) <= _ASKED else ports.random.sample(hidden, _ASKED)
        asked = await _ask(client, [record.handle for record in sample])
        live += (LiveCache.of(name, seen) for seen in (*listed, *asked))
        if asked and len(hidden) > _ASKED:
            clients.warn(f"the list of {client.endpoint}", _lies(client.endpoint, len(hidden)))
            live += _believed(hidden, asked)
        opened[name] = client
    ahead = {
        name: ahead_of(session, client, await clients.listed(client))
        for name, client in opened.items()
    }
    return Observation(
        at=ports.now(),
        boot=ports.boot_seconds(),
        ahead={name: difference for name, difference in ahead.items() if difference},
        live=tuple(live),
        scopes=scopes,
        clients=opened,
    )


def _check_readable(client: GeminiContextCache, stack: str) -> None:
    """
    Raise ParseError if a cache with a label of *stack* is listed and cannot be read.

    It may be one that this run would make; of other owners the client has warned.
    """
    for text in client.unreadable_labels:
        label = Label.parse(text)
        if label and label.stack == stack:
            raise ParseError(
                f"{client.endpoint} lists a cache of this stack that cannot be read ({text}).  "
                "Nothing was changed. Upgrade ctxprov, or delete that cache."
            )


def ahead_of(
    session: Session, client: GeminiContextCache, listed: Collection[CachedContext]
) -> timedelta:
    """How far the clock where *client* leads is ahead of the local one; warns if that is far."""
    local, boot = session.ports.now(), session.ports.boot_seconds()
    offset = clock_of(client.dated, listed, where=client.endpoint, local=local, boot=boot)
    if offset.warning:
        session.clients.warn(f"the clock of {client.endpoint}", offset.warning)
    return offset.ahead


def _key_env(location: StackLocation, provider: str) -> str | None:
    try:
        return location.key_envs[provider]
    except KeyError as error:
        raise Refused(
            f"The state has caches of the provider {provider}, which the manifest does not "
            "declare any more: declare it until they are gone, so that we know which key to use."
        ) from error


def _lies(where: str, count: int) -> str:
    return (
        f"{where} lists {count} recorded caches no more, and still shows one of them when it is "
        "asked for by name: its list is not whole, so none of them counts as missing."
    )


def _believed(
    records: Iterable[RecordedCache | RetiringCache], asked: Iterable[CachedContext]
) -> Iterator[LiveCache]:
    """Caches as their *records* say, but for those that were *asked* for."""
    answered = {seen.handle.cache_name for seen in asked}
    for record in records:
        if record.id in answered:
            continue
        match record:
            case RecordedCache():
                yield LiveCache.recorded(record)
            case RetiringCache():
                yield LiveCache.retiring(record)


async def _ask(client: GeminiContextCache, handles: Iterable[GeminiHandle]) -> list[CachedContext]:
    queue = iter(handles)

    async def serve() -> list[CachedContext | None]:
        return [await client.get_cache(handle) for handle in queue]

    answers = await asyncio.gather(*(serve() for _ in range(_AT_ONCE)))
    return [seen for answer in answers for seen in answer if seen is not None]


def _concerned(
    desired: Iterable[Desired], state: State, location: StackLocation, session: Session
) -> set[str]:
    """Providers that keep caches which this stack declares or remembers."""
    wants = {want.provider for want in desired if isinstance(want, DesiredCache)}
    retiring = {retiring.provider for retiring in state.retiring.values()}
    records = {record.provider for record in state.live_records}
    remembered = state.providers.keys() & location.key_envs.keys()
    needed = {*location.used, *wants, *retiring, *records, *remembered}
    return needed | {
        name
        for name in location.key_envs.keys() - needed
        if is_open(location.key_envs[name], name, location.store, session.ports)
    }


def is_open(variable: str | None, provider: str, store: Path | None, ports: Ports) -> bool:
    """
    Whether a project that no entry uses can be looked at; a warning if not.

    Its key is in *variable*, unless it is emulated in a *store*.
    """
    if variable is None:
        return False  # gemini, which every manifest knows
    if store is None and not ports.environ.get(variable):
        ports.console.warn(
            f"{variable} is not set: whether the project of {provider}, which no entry "
            "uses, has caches of this stack was not looked at."
        )
        return False
    return True


def _expected(
    state: State, provider: str, now: datetime
) -> Iterable[RecordedCache | RetiringCache]:
    """What should be alive by the record."""
    for record in state.live_records:
        if record.provider == provider and record.expires_at > now:
            yield record
    for retiring in state.retiring.values():
        if retiring.provider == provider and retiring.until > now:
            yield retiring


class ProviderClock(Struct, frozen=True, kw_only=True):
    """How far a provider's clock is *ahead* of the local one, and what to warn of."""

    ahead: timedelta = timedelta()
    warning: str | None = None


def clock_of(
    dated: ServerDate | None,
    caches: Collection[CachedContext],
    *,
    where: str,
    local: datetime,
    boot: float,
) -> ProviderClock:
    """
    Compare the clock at *where* with *local*, which was read at *boot* seconds since boot.

    *caches* are what the provider listed.  None of them can be newer than its present.
    """
    ahead = timedelta() if dated is None else _difference(dated, local, boot)
    moments = (map(attrgetter(name), caches) for name in ("created_at", "updated_at"))
    newest = max(chain.from_iterable(moments), default=local + ahead)
    if newest - _RESOLUTION > local + ahead:
        ahead = newest - local
    if dated is None:
        return ProviderClock(ahead=ahead, warning=_undated(where, local + ahead))
    return ProviderClock(ahead=ahead, warning=_wrong(where, local, ahead))


def _difference(dated: ServerDate, local: datetime, boot: float) -> timedelta:
    """Zero if the answer may have been written when the local clock says that it was."""
    sent = local - timedelta(seconds=boot - dated.sent)
    received = local - timedelta(seconds=boot - dated.received)
    if sent - _RESOLUTION < dated.date <= received:
        return timedelta()
    return dated.date - received


def _undated(where: str, now: datetime) -> str:
    return (
        f"the answers of {where} bear no Date: what expires is decided as if it were "
        f"{_seconds(now)} there, by the clock of this machine and the newest cache."
    )


def _wrong(where: str, local: datetime, ahead: timedelta) -> str | None:
    if abs(ahead) <= _WORTH_A_WARNING:
        return None
    return (
        f"the clock of this machine says {_seconds(local)}, and {where} says "
        f"{_seconds(local + ahead)}: what expires is decided by the latter. Set this machine's "
        "clock."
    )


def _seconds(moment: datetime) -> str:
    return moment_text(moment.replace(microsecond=0))
