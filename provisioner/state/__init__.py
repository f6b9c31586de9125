"""
What is remembered of a stack between runs: read, locked, changed by facts, and saved.

`read_state` is for those who only look; `open_ledger` for the one run that changes things.
"""

from provisioner.state.draft import Draft
from provisioner.state.group_commit import Ledger, next_save, open_ledger
from provisioner.state.history import PastRun, read_history, read_version, version_name
from provisioner.state.history_writer import Chronicle
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
from provisioner.state.transfer import Transfer, given_cache, renamed_stack

__all__ = [
    "Chronicle",
    "Draft",
    "Ledger",
    "PastRun",
    "Store",
    "Transfer",
    "admit",
    "given_cache",
    "next_save",
    "open_ledger",
    "parse_state",
    "read_history",
    "read_state",
    "read_version",
    "remains_of",
    "renamed_stack",
    "serial_of",
    "state_bytes",
    "state_name",
    "state_of",
    "version_name",
]
