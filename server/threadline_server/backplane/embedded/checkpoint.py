"""Moving the WAL into the database file, off the loop.

`copy` works beside commits, and again for what came meanwhile. When it has caught up, `restart` shuts the
turnstile for a moment, copies the rest and writes one row itself: the first commit after a complete
checkpoint starts the WAL over and syncs its header, and that sync must not happen on the loop.
"""

from __future__ import annotations

import sqlite3

PAGES_DUE = 4_096
_COPIES = 4
_FEW_PAGES = 64
"""That a copy found more than the one before: as many are there again by its end."""

_FREED_AT_ONCE = 64


def copy(connection: sqlite3.Connection) -> None:
    """Copy what no reader holds back, until little comes meanwhile."""
    before = 0
    for _ in range(_COPIES):
        _, in_wal, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if in_wal - before < _FEW_PAGES:
            return
        before = in_wal


def restart(connection: sqlite3.Connection) -> None:
    """Copy the rest and start the WAL over, unless somebody reads in it. Call inside the turnstile."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.execute("INSERT INTO meta VALUES ('restarts', 1) ON CONFLICT DO UPDATE SET value = value + 1")


def give_back(connection: sqlite3.Connection) -> None:
    """Shorten the file by some of the pages that nothing uses any more."""
    connection.execute(f"PRAGMA incremental_vacuum({_FREED_AT_ONCE})").fetchall()


def count_start(connection: sqlite3.Connection) -> int:
    """The number of this start of the store, 1 the first time."""
    connection.execute("INSERT INTO meta VALUES ('starts', 1) ON CONFLICT DO UPDATE SET value = value + 1")
    return int(connection.execute("SELECT value FROM meta WHERE name = 'starts'").fetchone()[0])


def mark_restored(connection: sqlite3.Connection, mark: int) -> None:
    """This store was made of a backup; `mark` tells it from any other such store."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('restored', ?)", (mark,))


def restored_mark(connection: sqlite3.Connection) -> int:
    """0 for a store that was never restored."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'restored'").fetchone()
    return int(row[0]) if row else 0
