"""An approval as one argument: read back as it was written, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.plan import ApprovalText

DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
LIMITS = st.sampled_from(
    [
        *("delete.count", "delete.percent", "replace.count", "replace.percent"),
        *("rent_per_hour", "rent_total_per_30_days"),
    ]
)


@given(DIGESTS, st.sets(LIMITS), st.sets(DIGESTS))
def test_reads_back(fingerprint: str, limits: set[str], digests: set[str]) -> None:
    """An approval is read as it was written, its limits and digests sorted."""
    approval = ApprovalText(
        fingerprint=fingerprint, limits=frozenset(limits), digests=frozenset(digests)
    )

    assert ApprovalText.parse(str(approval)) == approval
    assert str(approval) == ",".join([fingerprint, *sorted(limits), *sorted(digests)])


@pytest.mark.parametrize(
    "text",
    [
        *("", "0" * 63, "0" * 65, "A" * 64, f"{'0' * 64},", f"{'0' * 64},delete"),
        *(f"{'0' * 64},delete.rent", f"{'0' * 64} {'1' * 64}", f"delete.count,{'0' * 64}"),
    ],
)
def test_anything_else(text: str) -> None:
    """Text that is no fingerprint, followed by limits and digests, is refused."""
    with pytest.raises(ValueError, match="not a fingerprint of 64 digits"):
        ApprovalText.parse(text)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is an approval or a ValueError."""
    try:
        assert ApprovalText.parse(text).fingerprint
    except ValueError:
        return
