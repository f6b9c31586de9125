"""A state survives the way to bytes and back, and nothing else passes for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.cache import Json
from provisioner.errors import StateError, StateNewer
from provisioner.model.facts import ApprovedEdits, Disappearance, Revision, Scope, State
from provisioner.model.stack_settings import Allowance, Bound, Limits, StackSettings
from provisioner.state.state_file import parse_state, state_bytes
from tests.builders import HOUR, NOW, annotation, desired, noted, recorded, retiring, state
from tests.state.strategies import states

SCHEMA = jsonschema_rs.validator_for(Path("schemas/state.schema.json").read_text(encoding="utf-8"))
FULL = state(
    recorded(desired("manual")),
    noted(annotation("policy")),
    retiring=[retiring(desired("manual"))],
    providers={"gemini": Scope(endpoint="https://example.test/v1beta", keys=("ab" * 8,))},
    serial=7,
)


def parsed(raw: bytes, stack: str = "demo") -> State:
    return parse_state(raw, where="state/demo.json", stack=stack)


def refusal(raw: bytes, stack: str = "demo") -> str:
    with pytest.raises(StateError) as caught:
        parsed(raw, stack)
    return str(caught.value)


@settings(suppress_health_check=[HealthCheck.too_slow])  # where the machine has much else to do
@given(states())
def test_round_trip(before: State) -> None:
    """Every state is read back as it was written."""
    assert parsed(state_bytes(before)) == before


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(states())
def test_schema_holds(written: State) -> None:
    """Every state that is written has the shape of the schema."""
    SCHEMA.validate(json.loads(state_bytes(written)))


def test_form() -> None:
    """The file reads well: sorted keys, two spaces, a block for each cache."""
    lines = state_bytes(FULL).decode().splitlines()
    assert lines[:4] == [
        "{",
        '  "caches": {',
        '    "manual": {',
        '      "created_at": "2026-01-01T12:00:00Z",',
    ]
    assert lines[-4:] == ['  "serial": 7,', '  "stack": "demo",', '  "version": 1', "}"]
    assert [line.split('"')[1] for line in lines if line.startswith('  "')] == [
        "caches",
        "ctxprov_version",
        "providers",
        "retiring",
        "run",
        "serial",
        "stack",
        "version",
    ]
    assert state_bytes(FULL).endswith(b"}\n")


def test_order_is_not_history() -> None:
    """The same records in another order are the same bytes."""
    a, b = recorded(desired("a"), "cachedContents/1"), recorded(desired("b"), "cachedContents/2")
    assert state_bytes(state(a, b)) == state_bytes(state(b, a))


def test_diff() -> None:
    """A refresh changes the lines with its times, and no others."""
    record = recorded()
    later = replace(record, updated_at=record.updated_at + HOUR)
    before = set(state_bytes(state(record, noted(annotation("b")))).splitlines())
    after = set(state_bytes(state(later, noted(annotation("b")))).splitlines())
    assert after - before == {b'      "updated_at": "2026-01-01T13:00:00Z"'}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (bytes(4096), "nothing but zeros"),
        (state_bytes(FULL)[:700], "ends in the middle, after 700 bytes"),
        (b"version: 1\n", "is not JSON: line 1, column 1"),
        (b"\xff\xfe{\x00}\x00", "caches: this key is missing"),
        (b"\xff\xfe{\x00}", "begins as UTF-16 and breaks off: save it as UTF-8"),
        (
            b'{\n<<<<<<< HEAD\n"a": 1\n=======\n>>>>>>> x\n}',
            "a merge conflict that is not resolved",
        ),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b"{}", "caches: this key is missing"),
    ],
)
def test_not_a_state(raw: bytes, said: str) -> None:
    """What is no state is refused in one paragraph that says what to do."""
    message = refusal(raw)
    assert message.startswith("state/demo.json ")
    assert said in message
    assert "Restore it from version control" in message
    assert "\n" not in message


@given(st.integers(0, len(state_bytes(FULL)) - 2))
def test_cut(length: int) -> None:
    """A state that is cut anywhere is refused."""
    assert "Restore it" in refusal(state_bytes(FULL)[:length])


def test_bytes_that_are_no_text() -> None:
    """A byte that is not UTF-8, be it deep inside a record, is an error in our words."""
    raw = state_bytes(FULL)

    assert "is not JSON" in refusal(raw.replace(b'"digest"', b'"d\x93gest"', 1))


def test_a_key_that_stands_twice() -> None:
    """A key of a record with a wrong value and a right one is an error in our words."""
    raw = state_bytes(FULL).replace(b'"updated_at": ', b'"updated_at": 1, "updated_at": ', 1)

    assert "cannot be read" in refusal(raw)


def test_newer_version() -> None:
    """A state of a newer version, with any other key, asks for an upgrade."""
    message = refusal(b'{"version": 2, "stack": "demo", "new": [], "ctxprov_version": "9.1"}')
    assert "newer ctxprov 9.1: its version is 2, and 1 is the latest that can be read" in message


def test_wrong_in_a_newer_state() -> None:
    """What cannot be read in a state that a newer ctxprov wrote asks for an upgrade as well."""
    message = refusal(changed("caches/manual/life", {"ttl": "soon"}, by="0.1.1"))
    assert "was written by a newer ctxprov 0.1.1: caches.manual.life: a duration" in message
    assert "move it away" not in message


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding(encoding: str) -> None:
    """A state that a shell or an editor encoded again is the same state."""
    raw = state_bytes(FULL).decode().replace("\n", "\r\n").encode(encoding)
    assert parsed(raw) == FULL


def test_another_stack() -> None:
    """A state of another stack is not ours to change."""
    message = refusal(state_bytes(FULL), "other")
    assert "is the state of the stack demo, not of other" in message


def changed(path: str, value: Json, *, by: str = "0.1.0") -> bytes:
    """FULL with one value replaced, as the ctxprov *by* would have written it."""
    document = json.loads(state_bytes(FULL)) | {"ctxprov_version": by}
    *way, last = path.split("/")
    for key in way:
        document = document[key]
    document[last] = value
    root = json.loads(state_bytes(FULL)) | {"ctxprov_version": by}
    at = root
    for key in way[:-1]:
        at = at[key]
    if way:
        at[way[-1]] = document
    else:
        root = document
    return json.dumps(root).encode()


WRONG: list[tuple[str, Json, str]] = [
    ("version", 0, "version: this must be 1"),
    ("version", True, "version: this must be 1"),
    ("version", "1", "version: this must be 1"),
    ("stack", 3, "stack: this must be text"),
    ("serial", -1, "serial: this must be a whole number"),
    ("serial", True, "serial: this must be a whole number"),
    ("serial", 1.5, "serial: this must be a whole number"),
    ("caches", [], "caches: this must be an object"),
    ("caches/Manual", {}, "caches.Manual: this key must be the name of a cache"),
    ("caches/manual", None, "caches.manual: this must be an object"),
    ("caches/manual/model", "", "caches.manual.model: this must be text"),
    ("caches/manual/digest", "abc", "caches.manual.digest: this must be a SHA-256"),
    ("caches/manual/life", {"ttl": "soon"}, "caches.manual.life: a duration"),
    ("caches/manual/life", {}, "caches.manual.life: a life is"),
    ("caches/manual/settings", {}, "caches.manual.settings.keep: this key is missing"),
    ("caches/manual/expires_at", "2026-01-01", "caches.manual.expires_at: a moment is"),
    ("caches/manual/expires_at", "2026-99-01T00:00:00Z", "caches.manual.expires_at: "),
    ("caches/manual/expires_at", "0001-01-01T00:00:00+10:00", "outside the years"),
    ("caches/manual/paths", ["a", 1], "caches.manual.paths.1: this must be text"),
    ("caches/manual/tokens", None, "caches.manual.tokens: this must be a whole number"),
    (
        "caches/manual/id",
        "cachedContents/old",
        "is on record twice, also at retiring.cachedContents/old",
    ),
    ("caches/policy/handle", {"provider": "x"}, "caches.policy.handle: this is not a handle"),
    (
        "caches/policy/life",
        {"expires_at": "2026-01-01T00:00:00Z"},
        "policy.life.ttl: this key is missing",
    ),
    ("caches/manual/id", "../caches", "caches.manual.id: this must be the id of a cache"),
    ("caches/manual/provider", [], "caches.manual.provider: this must be text"),
    ("caches/policy/provider", {}, "caches.policy.provider: this must be text"),
    ("caches/manual/provider", "claude", "caches.manual.provider: claude keeps no caches"),
    ("caches/manual/provider", "openai", "caches.manual.provider: openai keeps no caches"),
    ("caches/policy/provider", "openai", "caches.policy.handle: this is no handle of openai"),
    ("caches/policy/provider", "gemini", "caches.policy.handle: this is no handle of gemini"),
    ("retiring/cachedContents~old", {}, "retiring.cachedContents~old: this key must be the id of"),
    ("serial", 2**53 + 1, "serial: this must be a whole number from 0 to 2^53"),
    (
        "providers/gemini/keys",
        ["AIzaSecret"],
        "providers.gemini.keys.0: this must be a fingerprint",
    ),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_wrong_shape(path: str, value: Json, said: str) -> None:
    """A value of the wrong kind is named with its path."""
    message = refusal(changed(path, value))
    assert said in message
    assert "is not a state that ctxprov wrote" in message


REST = state(
    recorded(
        desired("manual", measure=replace(desired("manual").measure, pieces={"content": "0" * 12}))
    ),
    noted(annotation("policy")),
    retiring=[retiring(desired("manual"))],
    serial=7,
    run="r1",
    rested={"manual": "0" * 64},
    approved=ApprovedEdits(fingerprint="0" * 64, digests=("1" * 64,)),
    disappeared={"gemini": Disappearance(since=NOW, failed=True, remade=("cachedContents/1",))},
    given={"cachedContents/9": "other"},
    last_edit=Revision(commit="c0ffee" * 7, committed_at=NOW),
    moved_from="before",
    stack_settings=StackSettings(
        limits=Limits(
            delete=Allowance(count=Bound(Decimal(2), "the state")),
            replace=Allowance(percent=Bound(Decimal(9), "the state"), of_at_least=3),
            rent_total_per_30_days=Bound(Decimal(100), "the state"),
            rent_per_hour=Bound(Decimal("0.5"), "the state"),
        ),
        key_envs={"gemini": "KEY"},
        publish="handles.json",
        state="0" * 64,
    ),
)


def test_the_rest() -> None:
    """What a state holds beside caches is read back as it was."""
    assert parsed(state_bytes(REST)) == REST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rested/manual", "0" * 63),
        ("rested/manual", None),
        ("rested/Manual", "0" * 64),
        ("approved", []),
        ("approved/edits", ["0" * 63]),
        ("approved/edits", "0"),
        ("approved/fingerprint", "f"),
        ("approved/more", 1),
        ("disappeared/gemini/failed", 1),
        ("disappeared/gemini/failed", "yes"),
        ("disappeared/gemini/since", "soon"),
        ("disappeared/gemini/remade", [1]),
        ("disappeared/gemini/more", 1),
        ("given/cachedContents~9", "No Stack"),
        ("given/cachedContents~old", "x"),
        ("last_edit/committed_at", "soon"),
        ("last_edit/commit", 1),
        ("moved_from", "No Stack"),
        ("moved_to", "No Stack"),
        ("stack_settings/limits/delete/count", 2),
        ("stack_settings/limits/delete/count", "many"),
        ("stack_settings/limits/delete/count", "-1"),
        ("stack_settings/limits/delete/more", 1),
        ("stack_settings/limits/delete", []),
        ("stack_settings/limits/more", 1),
        ("stack_settings/limits/rent_per_hour", "NaN"),
        ("stack_settings/state", "0"),
        ("stack_settings/publish", 1),
        ("stack_settings/more", 1),
        ("caches/manual/settings/keep", "cold"),
        ("caches/manual/settings/protect", 1),
        ("caches/manual/settings/retire_after", "soon"),
        ("caches/manual/more", 1),
        ("caches/manual/size", -1),
        ("caches/manual/size", 2**53 + 1),
        ("caches/manual/tokens", "1"),
        ("caches/manual/pieces", []),
        ("caches/manual/created_at", "2026-02-30T00:00:00Z"),
        ("caches/manual/updated_at", "2026-02-30T00:00:00Z"),
        ("caches/policy/updated_at", "2026-02-30T00:00:00Z"),
        ("caches/policy/handle/cache_control/more", 1),
        ("caches/policy/handle/more", 1),
        ("last_edit/committed_at", "2026-02-30T00:00:00Z"),
        ("disappeared/gemini/since", "2026-02-30T00:00:00Z"),
        ("retiring/cachedContents~old/until", "2026-02-30T00:00:00Z"),
        ("retiring/cachedContents~old/expires_at", "2026-02-30T00:00:00Z"),
        ("retiring/cachedContents~old/retire_after", "999999999999d"),
        ("retiring/cachedContents~old/until", "soon"),
        ("retiring/cachedContents~old/expires_at", "soon"),
        ("retiring/cachedContents~old/more", 1),
        ("run", 1),
        ("more", 1),
    ],
)
def test_every_value_is_checked(path: str, value: Json) -> None:
    """A value that no ctxprov writes is refused, with its path."""
    root = json.loads(state_bytes(REST)) | {"ctxprov_version": "0.1.0"}
    *way, last = (key.replace("~", "/") for key in path.split("/"))
    at = root
    for key in way:
        assert key in at
        at = at[key]
    at[last] = value

    message = refusal(json.dumps(root).encode())
    assert path.split("/", maxsplit=1)[0] in message
    assert way == [] or last in message or way[-1] in message


@pytest.mark.parametrize("value", [0, 2**53])
def test_the_largest_number(value: int) -> None:
    """Numbers go up to two to the power of 53."""
    assert parsed(changed("caches/manual/size", value)).caches["manual"].measure.size == value


@pytest.mark.parametrize("path", ["more", "caches/manual/more", "caches/policy/handle/more"])
def test_a_key_of_a_newer_ctxprov(path: str) -> None:
    """A key that is unknown here was written by a newer ctxprov, which is what to install."""
    with pytest.raises(StateNewer, match="more: "):
        parsed(changed(path, 1))


def test_wrong_and_of_another_stack() -> None:
    """Whose state it is comes before what is wrong with it."""
    message = refusal(changed("serial", -1), "other")
    assert "is the state of the stack demo, not of other" in message


def test_on_record_twice() -> None:
    """Two names do not have one cache."""
    twice = state(
        recorded(desired("a"), "cachedContents/1"), recorded(desired("b"), "cachedContents/1")
    )

    assert "cachedContents/1 is on record twice, also at caches.a" in refusal(state_bytes(twice))


def test_given_and_retiring() -> None:
    """What was given to another stack does not retire here as well."""
    both = replace(FULL, given={"cachedContents/old": "other"})

    assert "given" in refusal(state_bytes(both))


@pytest.mark.parametrize("earlier", [b"", b'"version": 0, '])
def test_a_record_that_is_no_text(earlier: bytes) -> None:
    """Bytes of a record that are no text are refused as no JSON, also if more is wrong."""
    raw = state_bytes(FULL).replace(b'"caches"', earlier + b'"caches"')
    raw = raw.replace(b'"model": "', b'"model": "\xff')

    assert "is not JSON: line 1, column 1" in refusal(raw)


def test_no_secret_in_refusal() -> None:
    """An error repeats no API key that stands in the state."""
    assert "AIzaSecret" not in refusal(changed("providers/gemini/keys", ["AIzaSecret"]))


ZERO_SHARE = {"keep": "warm", "protect": False, "refresh_before": "1/0", "retire_after": "1h"}


def places(document: Json, above: str = "") -> Iterator[str]:
    """Every path of a document, as far as its keys hold no slash themselves."""
    if isinstance(document, dict):
        for key, value in document.items():
            if "/" not in key:
                yield above + key
                yield from places(value, f"{above}{key}/")


PLACES = [*places(json.loads(state_bytes(FULL)))]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(st.sampled_from(PLACES), json_values)
def test_hostile_values(path: str, value: Json) -> None:
    """Any file is a state in the shape of the schema or a StateError."""
    raw = changed(path, value)
    try:
        parsed(raw)
    except StateError:
        return
    SCHEMA.validate(json.loads(raw))


@pytest.mark.parametrize("value", [ZERO_SHARE, json.loads("[" * 300 + "]" * 300)])
def test_hostile_settings(value: Json) -> None:
    """Division by zero and nesting without end are a StateError."""
    assert "caches.manual.settings" in refusal(changed("caches/manual/settings", value))


def test_size_is_linear() -> None:
    """Each cache adds as many bytes as the one before."""
    sizes = [
        len(
            state_bytes(
                state(*(recorded(desired(f"c-{i:04}"), f"cachedContents/{i:04}") for i in range(n)))
            )
        )
        for n in (100, 200, 300)
    ]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0]


def test_span_of_days() -> None:
    """A duration is spelled as people write it."""
    long = replace(recorded().settings, retire_after=timedelta(days=1, hours=12))
    raw = state_bytes(state(recorded(settings=long)))
    assert b'"retire_after": "1d12h"' in raw
