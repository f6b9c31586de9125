"""The caches of this server, in SQLite: a row each, with its answer ready to be sent.

It decides durability (WAL, one commit per request; a crash of this program loses nothing) and
what "live" means: a row whose expiry lies ahead. It refuses to keep content, because no answer
ever holds any. Several servers may share a file.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

_OURS: Final = 0x63747870
_VERSION: Final = 1
_LOCK_TIMEOUT: Final = 30.0
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS caches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    model TEXT NOT NULL,
    tokens TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS caches_by_expiry ON caches (expires);
PRAGMA application_id = {_OURS};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class StoreUnusable(Exception):
    """The file cannot be opened, or something else wrote it."""


class Row(Struct, frozen=True):
    """A cache."""

    id: str
    model: str
    tokens: str
    """JSON: tokens by the number of their modality."""
    answer: str
    """JSON: the CachedContent message."""


class Store:
    """Every verb is one transaction, and sees only what lives at *now*.

    Times are nanoseconds since 1970.
    """

    def __init__(self, place: str | Path) -> None:
        """Open or make the file, and its folder. Raises StoreUnusable."""
        try:
            if str(place) != ":memory:":
                Path(place).parent.mkdir(parents=True, exist_ok=True)
            self._db = _connect(str(place))
        except (sqlite3.Error, OSError) as error:
            raise StoreUnusable(f"{place} cannot hold the emulator's caches: {error}") from error

    def add(self, row: Row, expires: int, now: int) -> None:
        """Also forgets what has expired, so that a file does not grow for ever."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM caches WHERE expires <= ?", (_micro(now),))
            self._db.execute(
                "INSERT INTO caches (id, expires, model, tokens, answer) VALUES (?, ?, ?, ?, ?)",
                (row.id, _micro(expires), row.model, row.tokens, row.answer),
            )

    def find(self, cache: str, now: int) -> Row | None:
        fields = self._db.execute(
            "SELECT id, model, tokens, answer FROM caches WHERE id = ? AND expires > ?",
            (cache, _micro(now)),
        ).fetchone()
        return Row(*fields) if fields else None

    def page(self, before: int, size: int, now: int) -> list[tuple[int, str]]:
        """Up to *size* answers older than the sequence number *before*, newest first."""
        return self._db.execute(
            "SELECT seq, answer FROM caches WHERE seq < ? AND expires > ?"
            " ORDER BY seq DESC LIMIT ?",
            (before, _micro(now), size),
        ).fetchall()

    def extend(self, cache: str, expires: int, spelled: tuple[str, str], now: int) -> str | None:
        """Set the expiry; *spelled* is `expireTime` and `updateTime`. The new answer, or None."""
        rows = self._db.execute(
            "UPDATE caches SET expires = ?,"
            " answer = json_set(answer, '$.expireTime', ?, '$.updateTime', ?)"
            " WHERE id = ? AND expires > ? RETURNING answer",
            (_micro(expires), *spelled, cache, _micro(now)),
        ).fetchall()
        return next((answer for (answer,) in rows), None)

    def remove(self, cache: str, now: int) -> bool:
        """Whether there was one."""
        cursor = self._db.execute(
            "DELETE FROM caches WHERE id = ? AND expires > ?", (cache, _micro(now))
        )
        return cursor.rowcount > 0

    def close(self) -> None:
        self._db.close()


def _connect(place: str) -> sqlite3.Connection:
    """One thread at a time uses it, but the one that serves need not be the one that opened."""
    db = sqlite3.connect(
        place, timeout=_LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        _claim(db, place)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _claim(db: sqlite3.Connection, place: str) -> None:
    """Refuse a database that is not ours before anything is written to it."""
    with closing(db.execute("SELECT count(*) FROM sqlite_schema")) as tables:
        is_new = tables.fetchone() == (0,)
    marks = [db.execute(f"PRAGMA {mark}").fetchone() for mark in ("application_id", "user_version")]
    if is_new:
        db.executescript(_SCHEMA)
    elif marks != [(_OURS,), (_VERSION,)]:
        raise StoreUnusable(f"{place} is not a database of this emulator's version")


def _micro(nanoseconds: int) -> int:
    """SQLite's integers end in the year 2262 when they count nanoseconds."""
    return nanoseconds // 1000
