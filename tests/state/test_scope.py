"""Whether a state belongs to the project that a key reaches."""

from __future__ import annotations

import pytest

from provisioner.errors import ScopeRefused
from provisioner.model.facts import Scope
from provisioner.state.scope import admit

HERE, THERE = "https://here/v1beta", "https://there/v1beta"
OLD, NEW = "0" * 16, "1" * 16
KNOWN = Scope(endpoint=HERE, keys=(OLD,))
SEEN = Scope(endpoint=HERE, keys=(NEW,))
MOVED = Scope(endpoint=THERE, keys=(OLD,))
ELSEWHERE = Scope(endpoint=THERE, keys=(NEW,))
BOTH = Scope(endpoint=HERE, keys=(OLD, NEW))
A, B = "cachedContents/a", "cachedContents/b"

ADMITTED = [
    ("first", None, SEEN, set(), set(), SEEN),
    ("known", KNOWN, KNOWN, {A, B}, set(), KNOWN),
    ("rotated", KNOWN, SEEN, {A, B}, {A}, BOTH),
    ("nothing-to-tell-by", KNOWN, SEEN, set(), set(), BOTH),
    ("moved-and-there", KNOWN, MOVED, {A, B}, {B}, MOVED),
    ("another-key-there", KNOWN, ELSEWHERE, {A, B}, {B}, ELSEWHERE),
]


@pytest.mark.parametrize(
    ("known", "seen", "expected", "shown", "scope"),
    [pytest.param(*row, id=name) for name, *row in ADMITTED],
)
def test_admitted(
    known: Scope | None, seen: Scope, expected: set[str], shown: set[str], scope: Scope
) -> None:
    """A known key, a rotated one and a first one are welcome, and remembered."""
    assert admit(known, seen, expected=expected, shown=shown, accept=False) == scope


@pytest.mark.parametrize(
    ("seen", "expected", "sentence"),
    [
        (SEEN, {A}, "the one cache that should be alive is not to be found under this API key"),
        (SEEN, {A, B}, "none of the 2 caches that should be alive is to be found under this"),
        (MOVED, {A}, f"is not to be found at {THERE}, where the state knows them at {HERE}"),
    ],
)
def test_what_a_refusal_says(seen: Scope, expected: set[str], sentence: str) -> None:
    """A refusal names how many caches are missing, and the key or the endpoint."""
    with pytest.raises(ScopeRefused) as refused:
        admit(KNOWN, seen, expected=expected, shown=set(), accept=False)

    assert sentence in str(refused.value)


@pytest.mark.parametrize("seen", [SEEN, MOVED])
@pytest.mark.parametrize("known", [None, KNOWN])
@pytest.mark.parametrize("expected", [{A}, {A, B}])
def test_refused(known: Scope | None, seen: Scope, expected: set[str]) -> None:
    """A new key or endpoint that shows no recorded cache is refused, unless that is accepted."""
    with pytest.raises(ScopeRefused, match="--accept-scope"):
        admit(known, seen, expected=expected, shown={"cachedContents/c"}, accept=False)

    accepted = admit(known, seen, expected={A, B}, shown=set(), accept=True)
    assert set(seen.keys) <= set(accepted.keys)
    assert accepted.endpoint == seen.endpoint
