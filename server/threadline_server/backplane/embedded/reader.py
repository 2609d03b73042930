"""Looking into an embedded store that a node may be using: nothing is locked, nothing can be written.

The journal is read first and the tables after it: what was moved in between is in both, and what was taken
before is in one of them. A table of the connection's own stands for the log then, with the rows of both.

SQLite lets any number of readers see one moment of a WAL while its writer goes on
(https://www.sqlite.org/wal.html). A reader here is a connection for one call, so it never keeps the node from
starting the WAL over for longer than that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio.to_thread

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    BlobNotFound,
    DocumentName,
    Lease,
    LoggedTurn,
    Position,
    SessionPage,
    SessionQuery,
    SessionRecord,
    Stored,
)
from threadline_server.backplane.embedded import catalogue, ledger, log
from threadline_server.backplane.embedded.journal import Row, find
from threadline_server.backplane.embedded.schema import FILE_NAME, VERSION
from threadline_server.backplane.embedded.store import EmbeddedBackplane
from threadline_server.backplane.objects import blob_key

WAIT_S = 5.0
SQLITE_VERSION = sqlite3.sqlite_version_info
"""Of the library that this Python has."""
BURIED_AT_ONCE = 500

T = TypeVar("T")
Args = TypeVarTuple("Args")


class ReadOnly(StoreError):
    """What would change the store was asked of a reader."""

    code = "read_only"


class EmbeddedReader(EmbeddedBackplane):
    """The reading half of the store. Whatever writes raises ReadOnly."""

    async def open(self) -> None:
        """Raises StoreError where there is no store of this version."""
        path = self.directory / FILE_NAME
        if not path.is_file():
            raise StoreError(f"There is no store in {self.directory}. Name its directory with --data.")
        version = await self._read(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0])
        if version != VERSION:
            raise StoreError(
                f"{path} has schema {version} and this program reads {VERSION}. Use the program that wrote "
                "it, or start a node of this one, which brings an older store up to date."
            )
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def _read(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        return await anyio.to_thread.run_sync(_read, self.directory, work, *args)

    async def get_session(self, session: SessionId) -> SessionRecord:
        return await self._read(catalogue.get, session)

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        return await self._read(catalogue.list_page, query)

    async def load(self, document: DocumentName) -> Stored:
        return (await self._read(log.load, document))[0]

    async def read(
        self, document: DocumentName, after: Position, limit: int = 1000
    ) -> tuple[LoggedTurn, ...]:
        return (await self._read(log.read_turns, document, after, limit))[0]

    async def list_documents(self, session: SessionId) -> tuple[DocumentName, ...]:
        found = await self._read(catalogue.documents_of, session)
        return tuple(DocumentName(name) for _, name in found)

    async def tombstones(self) -> AsyncIterator[tuple[SessionId, str]]:
        after = ""
        while found := await self._read(catalogue.tombstones, after, BURIED_AT_ONCE):
            for after, lineage in found:
                yield SessionId(after), lineage

    async def list_decisions(self, session: SessionId) -> dict[str, str]:
        return await self._read(catalogue.decisions_of, session)

    async def list_lives(self, kind: str) -> dict[str, int]:
        return await self._read(ledger.lives, kind, self._now_ms())

    async def get_value(self, kind: str, key: str) -> bytes | None:
        return await self._read(ledger.get, kind, key, self._now_ms())

    async def list_values(self, kind: str) -> dict[str, bytes]:
        return await self._read(ledger.find_all, kind, self._now_ms())

    async def get_blob(self, session: SessionId, blob: str) -> bytes:
        data = await self._blobs.get(blob_key(session, blob))
        if data is None:
            raise BlobNotFound(f"Session {session} has no blob {blob}.")
        return data

    # what a reader cannot do

    async def swap_value(
        self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int = 0
    ) -> bool:
        """False where something else is there, as anywhere."""
        if await self.get_value(kind, key) != old:
            return False
        raise _read_only()

    async def create_session(self, record: SessionRecord) -> SessionRecord:
        raise _read_only()

    async def update_session(self, session: SessionId, **changes: object) -> SessionRecord:
        raise _read_only()

    async def delete_session(self, session: SessionId) -> None:
        raise _read_only()

    def append(self, appends: Sequence[Append]) -> None:
        raise _read_only()

    async def compact(
        self, document: DocumentName, lineage: str, base: bytes, index: bytes, through: Position
    ) -> None:
        raise _read_only()

    async def acquire_lease(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        raise _read_only()

    async def put_blob(self, session: SessionId, blob: str, data: bytes) -> None:
        raise _read_only()


def _read_only() -> ReadOnly:
    return ReadOnly("This store is open for reading only.")


def rows_to_move(connection: sqlite3.Connection, directory: Path) -> list[Row]:
    """What the journal has, and the tables perhaps do not. Raises sqlite3.Error, OSError."""
    while True:
        moved = log.moved_generation(connection)
        found = find(directory, moved)
        if log.moved_generation(connection) == moved:  # else a file may have been written over meanwhile
            return [row for one in found for row in one.rows]


def _overlay(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    if not rows:
        return
    connection.execute("CREATE TEMP TABLE journal (row INTEGER PRIMARY KEY, turn BLOB NOT NULL)")
    connection.executemany("INSERT INTO journal VALUES (?, ?)", rows)
    connection.execute(
        "CREATE TEMP VIEW log AS SELECT row, turn FROM main.log UNION ALL"
        " SELECT row, turn FROM journal WHERE row NOT IN (SELECT row FROM main.log)"
    )


def connect_to_read(directory: Path) -> sqlite3.Connection:
    """A connection that cannot write and waits a moment for a lock. Raises sqlite3.Error."""
    path = (directory / FILE_NAME).resolve()
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=WAIT_S, isolation_level=None)


def _read(directory: Path, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
    try:
        with closing(connect_to_read(directory)) as connection:
            _overlay(connection, rows_to_move(connection, directory))
            return work(connection, *args)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The store in {directory} could not be read: {error}.") from error
