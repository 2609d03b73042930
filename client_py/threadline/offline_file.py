"""The SQLite file behind `OfflineStore`: blocking, for one thread at a time and one process at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threadline.errors import StoreBusy, StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (user TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, lineage TEXT NOT NULL, role TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY, document TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS updates_of ON updates (document, id);
CREATE TABLE IF NOT EXISTS own_clients (
    document TEXT NOT NULL, client INTEGER NOT NULL, written INTEGER NOT NULL, acknowledged INTEGER NOT NULL,
    PRIMARY KEY (document, client));
CREATE TABLE IF NOT EXISTS set_aside (
    id INTEGER PRIMARY KEY, document TEXT NOT NULL, lineage TEXT NOT NULL, code TEXT NOT NULL,
    reason TEXT NOT NULL, data BLOB NOT NULL, at_ms INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class OwnRange:
    """Clocks that one of this device's client ids wrote, and how far the server has acknowledged them."""

    client: int
    written: int
    acknowledged: int

    @property
    def waiting(self) -> int:
        return self.written - self.acknowledged


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """A document as this device last had it; the updates are to be applied in this order."""

    lineage: str
    role: str
    updates: tuple[bytes, ...]
    own: tuple[OwnRange, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A copy that could not go on: `code` and `reason` say why, `data` is the document as one update."""

    document: str
    lineage: str
    code: str
    reason: str
    data: bytes
    at_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Batch:
    """What is to be written of one document. `whole` replaces every update stored before it."""

    whole: bytes | None = None
    updates: list[bytes] = field(default_factory=list)
    own: dict[int, OwnRange] = field(default_factory=dict)
    place: tuple[str, str] | None = None

    def before(self, later: Batch) -> Batch:
        """This batch with a later one on top, as one."""
        updates = later.updates if later.whole is not None else self.updates + later.updates
        whole = later.whole if later.whole is not None else self.whole
        return Batch(whole, updates, {**self.own, **later.own}, later.place or self.place)


class OfflineFile:
    """Opens at once. Raises StoreBusy while another process has the file, StoreError otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The offline store {path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except StoreError:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def owner(self) -> str | None:
        with self._worded():
            row = self._database.execute("SELECT user FROM owner").fetchone()
        return None if row is None else str(row[0])

    def set_owner(self, user: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM owner")
            database.execute("INSERT INTO owner VALUES (?)", (user,))

    def documents(self) -> list[str]:
        with self._worded():
            rows = self._database.execute(
                "SELECT DISTINCT document FROM updates ORDER BY document"
            ).fetchall()
        return [str(row[0]) for row in rows]

    def write(self, batches: Mapping[str, Batch]) -> None:
        """All of it or nothing; afterwards it survives this process."""
        with self._transaction() as database:
            for document, batch in batches.items():
                _write_document(database, document, batch)

    def load(self, document: str) -> StoredCopy | None:
        name = (document,)
        with self._worded():
            query = self._database.execute
            place = query("SELECT lineage, role FROM documents WHERE name = ?", name).fetchone()
            updates = query("SELECT data FROM updates WHERE document = ? ORDER BY id", name).fetchall()
            own = query("SELECT client, written, acknowledged FROM own_clients WHERE document = ?", name)
            ranges = tuple(OwnRange(*row) for row in own)
        if place is None and not updates:
            return None
        lineage, role = place if place is not None else ("", "")
        return StoredCopy(lineage, role, tuple(bytes(row[0]) for row in updates), ranges)

    def set_aside(self, copy: SetAside) -> None:
        """Keep `copy` and drop the document it came from, in one transaction."""
        row = (copy.document, copy.lineage, copy.code, copy.reason, copy.data, copy.at_ms)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO set_aside (document, lineage, code, reason, data, at_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            _delete(database, copy.document)

    def list_set_aside(self) -> list[SetAside]:
        with self._worded():
            rows: list[tuple[Any, ...]] = self._database.execute(
                "SELECT document, lineage, code, reason, data, at_ms FROM set_aside ORDER BY id"
            ).fetchall()
        return [SetAside(*row) for row in rows]

    def remove_set_aside(self, document: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM set_aside WHERE document = ?", (document,))

    def forget(self, document: str) -> None:
        with self._transaction() as database:
            _delete(database, document)

    def _prepare(self) -> None:
        with self._worded():
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._worded():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreBusy(f"Another process has the offline store {self.path} open.") from error
            raise StoreError(f"The offline store {self.path} failed: {error}") from error
        except sqlite3.Error as error:
            raise StoreError(f"The offline store {self.path} cannot be used: {error}") from error


def _write_document(database: sqlite3.Connection, document: str, batch: Batch) -> None:
    if batch.whole is not None:
        database.execute("DELETE FROM updates WHERE document = ?", (document,))
    updates = batch.updates if batch.whole is None else [batch.whole, *batch.updates]
    database.executemany(
        "INSERT INTO updates (document, data) VALUES (?, ?)", [(document, update) for update in updates]
    )
    database.executemany(
        "INSERT OR REPLACE INTO own_clients VALUES (?, ?, ?, ?)",
        [(document, own.client, own.written, own.acknowledged) for own in batch.own.values()],
    )
    if batch.place is not None:
        database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (document, *batch.place))


def _delete(database: sqlite3.Connection, document: str) -> None:
    database.execute("DELETE FROM updates WHERE document = ?", (document,))
    database.execute("DELETE FROM own_clients WHERE document = ?", (document,))
    database.execute("DELETE FROM documents WHERE name = ?", (document,))
