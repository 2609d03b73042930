"""Small values beside sessions, some of which end by themselves. Blocking; called from threads."""

from __future__ import annotations

import sqlite3

from threadline_server.backplane.embedded.log import transaction

REMOVED_AT_ONCE = 500
_VALID = "(until_ms = 0 OR until_ms > ?)"


def get(connection: sqlite3.Connection, kind: str, key: str, now_ms: int) -> bytes | None:
    row = connection.execute(
        f"SELECT value FROM ledger WHERE kind = ? AND name = ? AND {_VALID}",  # noqa: S608
        (kind, key, now_ms),
    ).fetchone()
    return None if row is None else bytes(row[0])


def find_all(connection: sqlite3.Connection, kind: str, now_ms: int) -> dict[str, bytes]:
    rows = connection.execute(
        f"SELECT name, value FROM ledger WHERE kind = ? AND {_VALID}",  # noqa: S608
        (kind, now_ms),
    )
    return {name: bytes(value) for name, value in rows}


def lives(connection: sqlite3.Connection, kind: str, now_ms: int) -> dict[str, int]:
    """How many milliseconds each value lasts, 0 for ever."""
    rows = connection.execute(
        f"SELECT name, until_ms FROM ledger WHERE kind = ? AND {_VALID}",  # noqa: S608
        (kind, now_ms),
    )
    return {name: until_ms and until_ms - now_ms for name, until_ms in rows}


def has_old(connection: sqlite3.Connection, kind: str, now_ms: int) -> bool:
    query = "SELECT 1 FROM ledger WHERE kind = ? AND until_ms BETWEEN 1 AND ? LIMIT 1"
    return connection.execute(query, (kind, now_ms)).fetchone() is not None


def remove_old(connection: sqlite3.Connection, kind: str, now_ms: int) -> None:
    """A bounded number; nobody is given what is left, and the next call goes on."""
    query = (
        "DELETE FROM ledger WHERE (kind, name) IN"
        " (SELECT kind, name FROM ledger WHERE kind = ? AND until_ms BETWEEN 1 AND ? LIMIT ?)"
    )
    with transaction(connection):
        connection.execute(query, (kind, now_ms, REMOVED_AT_ONCE))


def swap(
    connection: sqlite3.Connection,
    kind: str,
    key: str,
    old: bytes | None,
    new: bytes | None,
    now_ms: int,
    until_ms: int,
) -> bool:
    """Whether `old` was there, and `new` is now."""
    with transaction(connection):
        if get(connection, kind, key, now_ms) != old:
            return False
        if new is None:
            connection.execute("DELETE FROM ledger WHERE kind = ? AND name = ?", (kind, key))
        else:
            row = (kind, key, new, until_ms)
            connection.execute("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)", row)
    return True
