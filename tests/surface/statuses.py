"""Exit statuses, and which of two wins."""

from __future__ import annotations

from provisioner.cli.status import Status, endings, first_of


def statuses() -> dict[str, str]:
    """Return each exit status by its number: its name, its rank, and the signals that leave it."""
    ranked = sorted(
        Status, key=lambda status: sum(first_of(status, other) != status for other in Status)
    )
    signals = {status: number.name for number, status in endings().items()}
    return {
        f"{int(status):03}": " ".join(
            [status.name, f"rank {rank}", *filter(None, [signals.get(status)])]
        )
        for rank, status in enumerate(ranked, start=1)
    }
