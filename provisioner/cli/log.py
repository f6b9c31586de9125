"""The log: what the libraries below us say, on standard error, made harmless."""

from __future__ import annotations

import logging

from provisioner.render.escape import plain


class _Harmless(logging.Formatter):
    """A record is one line, whatever a server put into it."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def start_log(level: str) -> None:
    """Log from *level* on; nothing below the warning of a library holds a key."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
