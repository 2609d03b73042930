"""Reading and writing one document's rows: turns, base, clocks.

Blocking; called from threads, each connection one at a time. Nothing here decides who may write: the caller
holds the turnstile for what changes the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName, LoggedTurn, Position, Stored, WrongLineage
from threadline_server.backplane.embedded.heads import Head, SessionState
from threadline_server.backplane.embedded.schema import position_of, row_of, rows_of
from threadline_server.backplane.turn_bytes import advance, decode_clocks, decode_turn

# Small bases lie in small rows, which fill pages; a row of its own would waste half a page or more.
SMALL_PART_BYTES = 1_000
SMALL_BYTES = 64 * 1024
PART_BYTES = 128 * 1024
ROWS_PER_DELETE = 500
PARTS_PER_DELETE = 32

_APPEND = "INSERT INTO log (row, turn) VALUES (?, ?)"
_ADD_DOCUMENT = "INSERT INTO documents (id, name, session) VALUES (?, ?, ?)"


class Kind(IntEnum):
    """What the parts of a base belong to."""

    BASE = 0
    INDEX = 1


@dataclass(frozen=True, slots=True)
class DocumentRow:
    id: int
    base_position: int
    generation: int
    clocks: bytes


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything read inside is of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def write_turns(
    connection: sqlite3.Connection,
    documents: Sequence[tuple[int, DocumentName, SessionId]],
    rows: Sequence[tuple[int, bytes]],
) -> None:
    """One commit: the documents that are new, then the turns. Raises sqlite3.Error and has then changed
    nothing.
    """
    if len(rows) == 1 and not documents:
        connection.execute(_APPEND, rows[0])
        return
    with transaction(connection):
        if documents:
            connection.executemany(_ADD_DOCUMENT, documents)
        connection.executemany(_APPEND, rows)


def find_document(connection: sqlite3.Connection, document: DocumentName) -> DocumentRow | None:
    row = connection.execute(
        "SELECT id, base_position, generation, clocks FROM documents WHERE name = ?", (document,)
    ).fetchone()
    return DocumentRow(*row) if row else None


def lineage_of(connection: sqlite3.Connection, session: SessionId) -> str:
    """Raises SessionNotFound or SessionDeleted."""
    row = connection.execute("SELECT lineage FROM sessions WHERE id = ?", (session,)).fetchone()
    if row:
        return str(row[0])
    if connection.execute("SELECT 1 FROM tombstones WHERE session = ?", (session,)).fetchone():
        raise SessionDeleted(f"Session {session} was deleted.", session_id=session)
    raise SessionNotFound(f"There is no session {session}.", session_id=session)


def read_rows(
    connection: sqlite3.Connection, document: int, after: int, limit: int = -1
) -> list[tuple[int, bytes]]:
    """(position, turn bytes) after a position, in order."""
    rows = connection.execute(
        "SELECT row, turn FROM log WHERE row > ? AND row <= ? ORDER BY row LIMIT ?",
        (row_of(document, after), rows_of(document)[1], limit),
    )
    return [(position_of(row), turn) for row, turn in rows]


def _decoded(rows: Sequence[tuple[int, bytes]]) -> tuple[LoggedTurn, ...]:
    return tuple(LoggedTurn(Position(position), decode_turn(turn)) for position, turn in rows)


def read_turns(
    connection: sqlite3.Connection, document: DocumentName, after: int, limit: int
) -> tuple[tuple[LoggedTurn, ...], Position]:
    """Turns after a position that are still there, and the position of the base."""
    with snapshot(connection):
        row = find_document(connection, document)
        rows = read_rows(connection, row.id, after, limit) if row else []
    return _decoded(rows), Position(row.base_position if row else 0)


def _read_parts(connection: sqlite3.Connection, row: DocumentRow, kind: Kind) -> bytes:
    parts = connection.execute(
        "SELECT data FROM bases WHERE document = ? AND generation = ? AND kind = ? ORDER BY part",
        (row.id, row.generation, kind),
    )
    return b"".join(data for (data,) in parts)


def load(connection: sqlite3.Connection, document: DocumentName) -> tuple[Stored, Head]:
    """A document and the end of its log. Raises SessionNotFound, SessionDeleted, DamagedTurn."""
    session = split_document_name(document)[0]
    base = index = None
    with snapshot(connection):
        lineage = lineage_of(connection, session)
        row = find_document(connection, document)
        rows = read_rows(connection, row.id, row.base_position) if row else []
        if row and row.generation:
            base, index = (_read_parts(connection, row, kind) for kind in Kind)
    state = SessionState(session, lineage)
    if row is None:
        return Stored(lineage, None, None, Position(0), ()), Head(document, state, 0, 0, {})
    stored = Stored(lineage, base, index, Position(row.base_position), _decoded(rows))
    clocks = advance(decode_clocks(row.clocks), (logged.turn for logged in stored.tail))
    last = (hash(rows[-1][1]), rows[-1][0]) if rows else (0, 0)
    return stored, Head(document, state, row.id, stored.position, clocks, last)


def parts_of(data: bytes) -> list[list[bytes]]:
    """`data` in rows, and the rows that may be written at once."""
    if len(data) <= SMALL_BYTES:
        small = [data[at : at + SMALL_PART_BYTES] for at in range(0, len(data), SMALL_PART_BYTES)]
        return [small] if small else []
    return [[data[at : at + PART_BYTES]] for at in range(0, len(data), PART_BYTES)]


def write_parts(
    connection: sqlite3.Connection,
    document: int,
    generation: int,
    kind: Kind,
    first: int,
    parts: Sequence[bytes],
) -> None:
    rows = [(document, generation, kind, first + number, part) for number, part in enumerate(parts)]
    with transaction(connection):
        connection.executemany("INSERT INTO bases VALUES (?, ?, ?, ?, ?)", rows)


def newest_generation(connection: sqlite3.Connection, document: int) -> int:
    """The highest generation with parts in the store, in use or left by a compaction that ended half way."""
    row = connection.execute("SELECT max(generation) FROM bases WHERE document = ?", (document,)).fetchone()
    return int(row[0] or 0)


def clocks_through(connection: sqlite3.Connection, row: DocumentRow, through: int) -> dict[int, int]:
    """Where every client stands after the turn at `through`. Raises StoreError when the log ends before
    it.
    """
    count = through - row.base_position
    rows = read_rows(connection, row.id, row.base_position, count)
    if len(rows) != count or rows[-1][0] != through:
        raise StoreError(f"A base through position {through} covers turns that the log does not have.")
    return advance(decode_clocks(row.clocks), (decode_turn(turn) for _, turn in rows))


def set_base(
    connection: sqlite3.Connection,
    document: DocumentName,
    lineage: str,
    new: DocumentRow,
) -> None:
    """Let `new` be the base in use, in one transaction. Raises WrongLineage; does nothing to a newer base."""
    session = split_document_name(document)[0]
    with transaction(connection):
        if lineage_of(connection, session) != lineage:
            raise WrongLineage(f"Session {session} is not the one this base was made for.")
        connection.execute(
            "UPDATE documents SET base_position = ?, generation = ?, clocks = ?"
            " WHERE id = ? AND base_position < ?",
            (new.base_position, new.generation, new.clocks, new.id, new.base_position),
        )


def delete_some_turns(connection: sqlite3.Connection, document: int, through: int | None) -> bool:
    """Delete the oldest turns up to a position, or of the whole log; whether there may be more."""
    low, high = rows_of(document)
    if through is not None:
        high = row_of(document, through)
    done = connection.execute(
        "DELETE FROM log WHERE row IN (SELECT row FROM log WHERE row > ? AND row <= ? ORDER BY row LIMIT ?)",
        (low, high, ROWS_PER_DELETE),
    )
    return done.rowcount == ROWS_PER_DELETE


def delete_some_parts(connection: sqlite3.Connection, document: int, keep_generation: int) -> bool:
    """Delete parts of bases that are not in use; whether there may be more."""
    done = connection.execute(
        "DELETE FROM bases WHERE rowid IN"
        " (SELECT rowid FROM bases WHERE document = ? AND generation != ? LIMIT ?)",
        (document, keep_generation, PARTS_PER_DELETE),
    )
    return done.rowcount == PARTS_PER_DELETE
