"""Sessions kept on this machine without a server: one SQLite file, each session as one update."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from threadline.errors import SessionNotFound, StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, parent TEXT NOT NULL, data BLOB NOT NULL,
    saved_ms INTEGER NOT NULL)
"""

BUSY_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class SavedSession:
    id: str
    user: str
    parent: str
    data: bytes


def default_path() -> Path:
    """`$XDG_DATA_HOME/threadline/sessions.sqlite`, by default under ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "threadline" / "sessions.sqlite"


class SessionFile:
    """Each call opens the file for itself, so processes may share it. Raises StoreError."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path).expanduser() if path is not None else default_path()

    def save(self, session: SavedSession) -> None:
        """Afterwards it survives this process and a loss of power."""
        row = (session.id, session.user, session.parent, session.data, time.time_ns() // 1_000_000)
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", row)

    def load(self, session_id: str) -> SavedSession:
        """Raises SessionNotFound."""
        with self._database() as database:
            row = database.execute(
                "SELECT id, user, parent, data FROM sessions WHERE id = ?", (session_id,)
            ).fetchone()
        if row is None:
            raise SessionNotFound(
                f"There is no session {session_id!r} in {self.path}.", session_id=session_id
            )
        return SavedSession(*row)

    def children(self, session_id: str) -> list[str]:
        """Ids of the sessions whose parent this is, oldest first."""
        with self._database() as database:
            rows = database.execute("SELECT id FROM sessions WHERE parent = ? ORDER BY rowid", (session_id,))
            return [str(row[0]) for row in rows]

    def delete(self, session_id: str) -> None:
        with self._database() as database:
            database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as database, database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute(_SCHEMA)
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The session file {self.path} cannot be used: {error}") from error
