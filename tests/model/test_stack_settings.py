"""What changes when a manifest says something else of its whole stack."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.files import schema_bytes
from provisioner.model.money import NOTHING
from provisioner.model.stack_settings import (
    HALF,
    Allowance,
    Bound,
    Breach,
    Limit,
    Limits,
    SettingEdit,
    StackSettings,
    TooDear,
    TooMany,
    setting_edits,
    with_settings,
)
from tests.state.strategies import stack_settings

PLAIN = StackSettings(
    limits=Limits(), key_envs={"gemini": None}, publish="handles.json", state="0" * 64
)


def edits(after: StackSettings) -> list[tuple[str, str | None, str | None]]:
    return [(one.key, one.before, one.after) for one in setting_edits(PLAIN, after)]


def bound(amount: str) -> Bound:
    return Bound(Decimal(amount), "ctxprov.yaml:1:1")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"publish": None}, [("publish", "handles.json", None)]),
        ({"state": "1" * 64}, [("state", f"sha256:{'0' * 64}", f"sha256:{'1' * 64}")]),
        (
            {"limits": Limits(delete=Allowance(count=bound("3")))},
            [("limits.delete", "50% of 5 or more", "3 caches")],
        ),
        (
            {"limits": Limits(rent_per_hour=bound("1.50"))},
            [("limits.rent_per_hour", None, "1.5 USD")],
        ),
        (
            {"key_envs": {"gemini": None, "eu": "GEMINI_API_KEY_EU"}},
            [("providers.eu", None, "gemini, key_env GEMINI_API_KEY_EU")],
        ),
    ],
)
def test_what_is_an_edit(
    change: dict[str, object], expected: list[tuple[str, str | None, str | None]]
) -> None:
    """Limits, keys, the place of handles and the address of the state are edits, by key."""
    assert edits(replace(PLAIN, **change)) == expected


def test_nothing_on_record() -> None:
    """A state of an earlier ctxprov takes the settings over, and that is no edit."""
    assert setting_edits(None, PLAIN) == ()


def test_one_hash_for_an_edit() -> None:
    """The hash of an edit covers stack, key and after, and not what was there before."""
    edit = SettingEdit(key="publish", before="a", after="b")

    assert edit.digest("demo") == replace(edit, before="c").digest("demo")
    others = [replace(edit, after="c"), replace(edit, key="state")]
    digests = {edit.digest("demo.prod"), *(one.digest("demo") for one in (edit, *others))}
    assert len(digests) == 4


@given(before=stack_settings, after=stack_settings, chosen=st.sets(st.integers(0, 30)))
def test_some_of_the_edits(before: StackSettings, after: StackSettings, chosen: set[int]) -> None:
    """Taking over some edits leaves exactly the others, and taking over all leaves none."""
    found = setting_edits(before, after)
    keys = {edit.key for at, edit in enumerate(found) if at in chosen}

    left = setting_edits(with_settings(before, after, keys), after)

    assert {edit.key for edit in left} == {edit.key for edit in found} - keys
    assert setting_edits(with_settings(before, after, {edit.key for edit in found}), after) == ()


BOUND = Bound(Decimal(1), None)
BREACHES: list[Breach] = [
    *(
        TooMany(limit=limit, key=key, bound=BOUND, names=(), of=5)
        for limit in (Limit.DELETE, Limit.REPLACE)
        for key in ("count", "percent")
    ),
    *(
        TooDear(limit=limit, bound=BOUND, rent=NOTHING, unpriced=(), refuses=True)
        for limit in (Limit.RENT_PER_HOUR, Limit.RENT_TOTAL)
    ),
]


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.dotted)
def test_keys_of_the_manifest(breach: Breach) -> None:
    """Every breach's key is one that a manifest may set."""
    defs = json.loads(schema_bytes("manifest"))["$defs"]
    limit, _, key = breach.dotted.partition(".")

    assert limit in defs["limits"]["properties"]
    assert not key or key in defs["allowance"]["properties"]


def test_every_limit_has_a_breach() -> None:
    """What a manifest may limit is what may be exceeded."""
    assert {breach.limit for breach in BREACHES} == {*Limit}
    assert {*json.loads(schema_bytes("manifest"))["$defs"]["limits"]["properties"]} == {*Limit}


def test_a_place_is_no_bound() -> None:
    """A limit that moves to another line is the same limit."""
    assert Bound(Decimal(1), "ctxprov.yaml:3:1") == BOUND


def test_half_of_five() -> None:
    """A manifest without limits lets edits take half of five caches or more."""
    assert (HALF.count, HALF.percent, HALF.of_at_least) == (None, Bound(Decimal(50), None), 5)
