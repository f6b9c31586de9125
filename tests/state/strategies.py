"""States that could be, for hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import strategies as st

from provisioner.cache import CacheHandle, ClaudeHandle, OpenAIHandle
from provisioner.model.attributes import Life, Measure, Settings, Ttl, Until
from provisioner.model.facts import ApprovedEdits, Disappearance, Revision, Scope, State
from provisioner.model.records import Recorded, RecordedAnnotation, RecordedCache, RetiringCache
from provisioner.model.stack_settings import HALF, Allowance, Bound, Limits, StackSettings

names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,47}", fullmatch=True)
ids = st.integers(1, 10**6).map("cachedContents/{}".format)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive bounds
spans = st.integers(1, 10**8).map(lambda seconds: timedelta(seconds=seconds))
shares = st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000)
ttls = st.builds(Ttl, spans)
lives: st.SearchStrategy[Life] = ttls | st.builds(Until, moments)


def measures(*, counted: bool) -> st.SearchStrategy[Measure]:
    return st.builds(
        Measure,
        paths=st.lists(words, max_size=3).map(tuple),
        size=st.integers(0, 2**53),
        tokens=st.integers(0, 2**31),
        counted=st.just(counted),
        pieces=st.dictionaries(words, st.binary(min_size=6, max_size=6).map(bytes.hex), max_size=3),
    )


settings = st.builds(
    Settings,
    refresh_before=spans | shares,
    retire_after=spans,
    keep=st.sampled_from(["warm", "once"]),
    protect=st.booleans(),
)
handles: dict[str, st.SearchStrategy[CacheHandle]] = {
    "claude": st.sampled_from([ClaudeHandle({"type": "ephemeral", "ttl": "5m"})]),
    "openai": st.builds(OpenAIHandle, words, st.just({"ttl": "30m"}))
    | st.builds(OpenAIHandle, words, st.none(), st.sampled_from(["in_memory", "24h"])),
}


def caches(name: str, id_: str) -> st.SearchStrategy[RecordedCache]:
    return st.builds(
        RecordedCache,
        name=st.just(name),
        provider=st.just("gemini"),
        model=words,
        digest=digests,
        life=lives,
        settings=settings,
        id=st.just(id_),
        created_at=moments,
        updated_at=moments,
        expires_at=moments,
        measure=measures(counted=True),
    )


def noted(name: str, provider: str) -> st.SearchStrategy[RecordedAnnotation]:
    return st.builds(
        RecordedAnnotation,
        name=st.just(name),
        provider=st.just(provider),
        model=words,
        digest=digests,
        life=ttls,
        handle=handles[provider],
        updated_at=moments,
        measure=measures(counted=False),
    )


def retiring(name: str, id_: str) -> st.SearchStrategy[RetiringCache]:
    return st.builds(
        RetiringCache,
        name=st.just(name),
        provider=st.just("gemini"),
        model=words,
        id=st.just(id_),
        retire_after=spans,
        until=moments,
        expires_at=st.none() | moments,
    )


scopes = st.builds(
    Scope,
    endpoint=words,
    keys=st.lists(st.binary(min_size=8, max_size=8).map(bytes.hex), max_size=3).map(tuple),
)


amounts = st.decimals(0, 10**6, places=2, allow_nan=False)
bounds = st.builds(Bound, amounts, st.just("the state"))
allowances = st.just(HALF) | st.builds(
    Allowance, count=st.none() | bounds, percent=st.none() | bounds
)
stack_settings = st.builds(
    StackSettings,
    limits=st.builds(
        Limits,
        delete=allowances,
        replace=allowances,
        rent_per_hour=st.none() | bounds,
        rent_total_per_30_days=st.none() | bounds,
    ),
    key_envs=st.dictionaries(names, st.none() | words, max_size=3),
    publish=st.none() | words,
    state=digests,
)


stacks = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?", fullmatch=True)
approvals = st.builds(
    ApprovedEdits, fingerprint=digests, digests=st.lists(digests, max_size=3).map(tuple)
)
revisions = st.builds(
    Revision,
    commit=st.binary(min_size=20, max_size=20).map(bytes.hex),
    committed_at=st.none() | moments,
)


disappearances = st.builds(
    Disappearance,
    since=st.none() | moments,
    failed=st.booleans(),
    remade=st.lists(ids, max_size=3).map(tuple),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    known = draw(st.lists(ids, unique=True, max_size=8))
    recorded: dict[str, Recorded] = {}
    leaving: dict[str, RetiringCache] = {}
    given: dict[str, str] = {}
    for id_ in known:
        name = draw(names)
        match draw(st.sampled_from(["cache", "annotation", "retiring", "given"])):
            case "cache":
                recorded[name] = draw(caches(name, id_))
            case "annotation":
                recorded[name] = draw(noted(name, draw(st.sampled_from(["claude", "openai"]))))
            case "given":
                given[id_] = draw(stacks)
            case _:
                leaving[id_] = draw(retiring(name, id_))
    return State(
        stack="demo",
        serial=draw(st.integers(0, 2**31)),
        run=draw(st.sampled_from([None, "3f9c0a7be1d24c55"])),
        providers=draw(st.dictionaries(words, scopes, max_size=2)),
        caches=recorded,
        retiring=leaving,
        stack_settings=draw(st.none() | stack_settings),
        given=given,
        disappeared=draw(st.dictionaries(words, disappearances, max_size=2)),
        moved_to=draw(st.none() | stacks),
        moved_from=draw(st.none() | stacks),
        rested=draw(st.dictionaries(names, digests, max_size=3)),
        approved=draw(st.none() | approvals),
        last_edit=draw(st.none() | revisions),
    )
