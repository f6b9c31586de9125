"""The log: what the libraries below us say, on standard error, made harmless."""

from __future__ import annotations

import logging

from provisioner.cli import console
from provisioner.cli.speech import tell
from provisioner.escape import plain

_OURS = logging.getLogger("provisioner")


class _Harmless(logging.Formatter):
    """A record is one line, whatever a server put into it."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class _Aside(logging.Handler):
    """Standard error, as it is when there is something to say."""

    def emit(self, record: logging.LogRecord) -> None:
        console.progress(f"{self.format(record)}\n", aside=True)


def start_log(level: str) -> None:
    """Log from *level* on; nothing below the warning of a library holds a key."""
    handler = _Aside()
    handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _OURS.handlers.clear()


class _Warnings(logging.Handler):
    """Shows what our own library warns of, such as git's words about a remote."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(f"warning: {record.getMessage()}")


def show_warnings() -> None:
    """Show warnings without a log; nothing is shown twice."""
    if not _OURS.handlers:
        _OURS.addHandler(_Warnings(logging.WARNING))
