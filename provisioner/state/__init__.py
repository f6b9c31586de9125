"""
What is remembered of a stack between runs: read, locked, changed by facts, and saved.

`read_state` is for those who only look; `open_ledger` for the one run that changes things.
"""

from provisioner.state.scope import admit
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.state.state_store import (
    Store,
    read_state,
    remains_of,
    serial_of,
    state_name,
    state_of,
)

__all__ = [
    "Store",
    "admit",
    "parse_state",
    "read_state",
    "remains_of",
    "serial_of",
    "state_bytes",
    "state_name",
    "state_of",
]
