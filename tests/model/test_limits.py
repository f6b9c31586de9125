"""A breach names the key of the manifest that it goes beyond."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from provisioner.model.limits import HALF, Bound, Breach, Limit, TooDear, TooMany
from provisioner.model.money import Money
from provisioner.shapes import schema_bytes

BOUND = Bound(Decimal(1), None)
BREACHES: list[Breach] = [
    *(
        TooMany(limit=limit, key=key, bound=BOUND, names=(), of=5)
        for limit in (Limit.DELETE, Limit.REPLACE)
        for key in ("count", "percent")
    ),
    *(
        TooDear(limit=limit, bound=BOUND, rent=Money(), unpriced=(), refuses=True)
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
