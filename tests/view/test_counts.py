"""Changes are counted by what they do."""

from __future__ import annotations

from provisioner.model import Reason
from provisioner.view.counts import counts


def test_what_retires_by_itself_is_not_counted() -> None:
    """A removal is forgotten on purpose; what has died in peace is not the plan's doing."""
    number = counts(
        [
            ("forget", Reason.UNDECLARED),
            ("forget", Reason.RETIRED),
            ("leave", Reason.RETIRING),
            ("create", Reason.NEW),
            ("create", Reason.MISSING),
            ("keep", Reason.CURRENT),
        ]
    )

    assert {kind: many for kind, many in number.items() if many} == {
        "create": 2,
        "forget": 1,
        "unchanged": 1,
    }
