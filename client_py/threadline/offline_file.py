"""The SQLite file behind `OfflineStore`: blocking, for one thread at a time and one process at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threadline.errors import ConfigurationError, StoreBusy, StoreError
from threadline.offline_key import SALT_BYTES, Sealed, Sealing, Unsealed

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
CREATE TABLE IF NOT EXISTS sealing (salt BLOB NOT NULL, proof BLOB NOT NULL);
"""
_PROOF = "proof"


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
    """Opens at once. With a `key`, what people wrote is sealed; a file that was not sealed yet is now.

    Raises StoreBusy while another process has the file, ConfigurationError where it needs a key or another
    one, StoreError otherwise.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self.path = path
        self._sealing: Sealing = Unsealed()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The offline store {path} cannot be opened: {error}") from error
        try:
            self._prepare()
            self._open_seal(key)
        except (StoreError, ConfigurationError):
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
                self._write_document(database, document, batch)

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
        unseal = self._sealing.unseal
        plain = tuple(unseal(bytes(row[0]), document) for row in updates)
        return StoredCopy(lineage, role, plain, ranges)

    def set_aside(self, copy: SetAside) -> None:
        """Keep `copy` and drop the document it came from, in one transaction."""
        row = (copy.document, copy.lineage, copy.code, *self._seal_aside(copy), copy.at_ms)
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
        return [self._unsealed_aside(row) for row in rows]

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
            self._database.execute("PRAGMA secure_delete=ON")
            self._database.executescript(_SCHEMA)

    def _open_seal(self, key: bytes | None) -> None:
        with self._worded():
            row = self._database.execute("SELECT salt, proof FROM sealing").fetchone()
        if row is None:
            if key is not None:
                self._seal_all(key)
            return
        if key is None:
            raise ConfigurationError(f"The offline store {self.path} is encrypted; give its key.")
        sealing = Sealed(key, row[0])
        try:
            sealing.unseal(row[1], _PROOF)
        except StoreError:
            raise ConfigurationError(f"The offline store {self.path} has another key than this.") from None
        self._sealing = sealing

    def _seal_all(self, key: bytes) -> None:
        """Seal what is there, and leave nothing of it in pages that are free now."""
        salt = os.urandom(SALT_BYTES)
        sealing = Sealed(key, salt)
        with self._transaction() as database:
            database.execute("INSERT INTO sealing VALUES (?, ?)", (salt, sealing.seal(b"", _PROOF)))
            updates = database.execute("SELECT id, document, data FROM updates").fetchall()
            database.executemany(
                "UPDATE updates SET data = ? WHERE id = ?",
                [(sealing.seal(bytes(data), document), number) for number, document, data in updates],
            )
            asides = database.execute("SELECT id, document, reason, data FROM set_aside").fetchall()
            database.executemany(
                "UPDATE set_aside SET reason = ?, data = ? WHERE id = ?",
                [
                    (sealing.seal(reason.encode(), f"reason {name}"), sealing.seal(bytes(data), name), number)
                    for number, name, reason, data in asides
                ],
            )
        self._sealing = sealing
        if updates or asides:
            with self._worded():
                self._database.execute("VACUUM")
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _seal_aside(self, copy: SetAside) -> tuple[str | bytes, bytes]:
        """(reason, data) as they are stored."""
        data = self._sealing.seal(copy.data, copy.document)
        if isinstance(self._sealing, Unsealed):
            return copy.reason, data
        return self._sealing.seal(copy.reason.encode(), f"reason {copy.document}"), data

    def _unsealed_aside(self, row: tuple[Any, ...]) -> SetAside:
        document, lineage, code, reason, data, at_ms = row
        if isinstance(reason, bytes):
            reason = self._sealing.unseal(reason, f"reason {document}").decode()
        return SetAside(document, lineage, code, reason, self._sealing.unseal(bytes(data), document), at_ms)

    def _write_document(self, database: sqlite3.Connection, document: str, batch: Batch) -> None:
        if batch.whole is not None:
            database.execute("DELETE FROM updates WHERE document = ?", (document,))
        updates = batch.updates if batch.whole is None else [batch.whole, *batch.updates]
        seal = self._sealing.seal
        database.executemany(
            "INSERT INTO updates (document, data) VALUES (?, ?)",
            [(document, seal(update, document)) for update in updates],
        )
        database.executemany(
            "INSERT OR REPLACE INTO own_clients VALUES (?, ?, ?, ?)",
            [(document, own.client, own.written, own.acknowledged) for own in batch.own.values()],
        )
        if batch.place is not None:
            database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (document, *batch.place))

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


def _delete(database: sqlite3.Connection, document: str) -> None:
    database.execute("DELETE FROM updates WHERE document = ?", (document,))
    database.execute("DELETE FROM own_clients WHERE document = ?", (document,))
    database.execute("DELETE FROM documents WHERE name = ?", (document,))
