"""Reading and writing one document's rows: turns, base, clocks.

Blocking; called from threads, each connection one at a time. Nothing here decides who may write: the caller
holds the turnstile for what changes the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import Damaged, DocumentName, LoggedTurn, Position, Stored, WrongLineage
from threadline_server.backplane.damage import checksum, expect, expect_turns
from threadline_server.backplane.embedded import large_turns
from threadline_server.backplane.embedded.heads import Head, SessionState
from threadline_server.backplane.embedded.schema import document_of, position_of, row_of, rows_of
from threadline_server.backplane.turn_bytes import advance, decode_clocks, decode_turn

# Small bases lie in small rows, which fill pages; a row of its own would waste half a page or more.
SMALL_PART_BYTES = 1_000
SMALL_BYTES = 64 * 1024
PART_BYTES = 128 * 1024
ROWS_PER_DELETE = 500
BYTES_PER_DELETE = 512 * 1024
PARTS_PER_DELETE = 4

_ROWS_OF_A_STATEMENT = (2_048, 256, 32, 4, 1)
_ADD_DOCUMENT = "INSERT INTO documents (id, name, session, checked) VALUES (?, ?, ?, ?)"
_BY_SESSION = "SELECT 1 FROM documents INDEXED BY documents_by_session WHERE session = ? AND name = ?"


class Kind(IntEnum):
    """What the parts of a base belong to."""

    BASE = 0
    INDEX = 1


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """`checked` is the checksum over this row, base and index; None in a row of before there was one."""

    id: int
    base_position: int
    generation: int
    clocks: bytes
    checked: int | None = None

    def checksum(self, document: DocumentName, base: bytes, index: bytes) -> int:
        return checksum(*self._covered(document, base, index))

    def expect(self, document: DocumentName, base: bytes, index: bytes) -> None:
        """Raises Damaged."""
        expect(document, "The base", self.checked, *self._covered(document, base, index))

    def _covered(self, document: DocumentName, base: bytes, index: bytes) -> tuple[bytes | str | int, ...]:
        return document, self.id, self.base_position, self.generation, self.clocks, base, index


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


def move_turns(connection: sqlite3.Connection, rows: Sequence[tuple[int, bytes]]) -> None:
    """From the journal into the table, in one commit; those that are there already stay. `rows` are in order
    within each document. Raises sqlite3.Error and has then changed nothing.
    """
    reached = {document_of(row): position_of(row) for row, _ in rows}
    with transaction(connection):
        _insert(connection, "INSERT OR IGNORE INTO log", rows)
        _insert(connection, "INSERT OR REPLACE INTO reached", list(reached.items()))
        references = [turn for _, turn in rows if large_turns.is_reference(turn)]
        large_turns.end(connection, large_turns.numbers_in(references))


def _insert(
    connection: sqlite3.Connection,
    statement: str,
    rows: Sequence[tuple[int, bytes]] | Sequence[tuple[int, int]],
) -> None:
    """Many rows a statement: a thread waits for the interpreter after each.

    Of `bytes` the driver looks up each time how to bind them, which takes it longer than a copy.
    """
    first = 0
    for size in _ROWS_OF_A_STATEMENT:
        while len(rows) - first >= size:
            some = rows[first : first + size]
            values: list[object] = []
            for number, value in some:
                values.append(number)
                values.append(bytearray(value) if isinstance(value, bytes) else value)
            connection.execute(f"{statement} VALUES (?, ?)" + ", (?, ?)" * (size - 1), values)
            first += size


def moved_generation(connection: sqlite3.Connection) -> int:
    """All that the journal has up to this generation is in the table; 0 where there was none."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'moved'").fetchone()
    return int(row[0]) if row else 0


def note_generation(connection: sqlite3.Connection, generation: int) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('moved', ?)", (generation,))


def add_document(
    connection: sqlite3.Connection, number: int, document: DocumentName, session: SessionId
) -> int:
    """Give a document its number, or find the one that it has; turns may refer to it from now on. Raises
    SessionNotFound, SessionDeleted, Damaged.
    """
    with transaction(connection):
        lineage_of(connection, session)
        row = find_document(connection, document)
        if row is not None:
            return row.id
        connection.execute(_ADD_DOCUMENT, _new_row(number, document, session))
    return number


def base_positions(connection: sqlite3.Connection) -> dict[int, int]:
    """Of every document, by its number."""
    return dict(connection.execute("SELECT id, base_position FROM documents"))


def _new_row(
    number: int, document: DocumentName, session: SessionId
) -> tuple[int, DocumentName, SessionId, int]:
    return number, document, session, DocumentRow(number, 0, 0, b"").checksum(document, b"", b"")


def find_document(connection: sqlite3.Connection, document: DocumentName) -> DocumentRow | None:
    """None where nothing was written yet. Raises Damaged when another index knows better."""
    row = connection.execute(
        "SELECT id, base_position, generation, clocks, checked FROM documents WHERE name = ?", (document,)
    ).fetchone()
    if row:
        return DocumentRow(*row)
    session = split_document_name(document)[0]
    if connection.execute(_BY_SESSION, (session, document)).fetchone():
        raise Damaged(f"The place of {document} in the store is not what was written.")
    return None


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
) -> Iterator[tuple[int, bytes]]:
    """(position, turn bytes) after a position, in order, each read when it is asked for: two copies of a
    large log need not be there at once.
    """
    rows = connection.execute(
        "SELECT row, turn FROM log WHERE row > ? AND row <= ? ORDER BY row LIMIT ?",
        (row_of(document, after), rows_of(document)[1], limit),
    )
    for row, turn in rows:
        yield position_of(row), large_turns.whole(connection, turn)


def _decoded(
    document: DocumentName, rows: Iterable[tuple[int, bytes]]
) -> tuple[tuple[LoggedTurn, ...], tuple[int, int]]:
    """The turns, and the last one's hash and position, both 0 where there is none."""
    turns: list[LoggedTurn] = []
    data = b""
    for position, data in rows:
        turns.append(LoggedTurn(Position(position), decode_turn(data, document)))
    return tuple(turns), (large_turns.hash_of(data), turns[-1].position) if turns else (0, 0)


def read_turns(
    connection: sqlite3.Connection, document: DocumentName, after: int, limit: int
) -> tuple[tuple[LoggedTurn, ...], Position]:
    """Turns after a position that are still there, and the position of the base."""
    with snapshot(connection):
        row = find_document(connection, document)
        turns, _ = _decoded(document, read_rows(connection, row.id, after, limit) if row else ())
    return turns, Position(row.base_position if row else 0)


def _read_parts(connection: sqlite3.Connection, row: DocumentRow, kind: Kind) -> bytes:
    parts = connection.execute(
        "SELECT data FROM bases WHERE document = ? AND generation = ? AND kind = ? ORDER BY part",
        (row.id, row.generation, kind),
    )
    return b"".join(data for (data,) in parts)


def load(connection: sqlite3.Connection, document: DocumentName) -> tuple[Stored, Head]:
    """A document and the end of its log. Raises SessionNotFound, SessionDeleted, Damaged."""
    session = split_document_name(document)[0]
    base = index = None
    reached = 0
    with snapshot(connection):
        lineage = lineage_of(connection, session)
        row = find_document(connection, document)
        tail, last = _decoded(document, read_rows(connection, row.id, row.base_position) if row else ())
        if row and row.generation:
            base, index = (_read_parts(connection, row, kind) for kind in Kind)
        if row:
            reached = _reached(connection, row.id)
    state = SessionState(session, lineage)
    if row is None:
        return Stored(lineage, None, None, Position(0), ()), Head(document, state, 0, 0, {})
    row.expect(document, base or b"", index or b"")
    stored = Stored(lineage, base, index, Position(row.base_position), tail)
    expect_turns(document, stored.base_position, stored.tail, reached)
    clocks = advance(decode_clocks(row.clocks), (logged.turn for logged in stored.tail))
    return stored, Head(document, state, row.id, stored.position, clocks, last)


def _reached(connection: sqlite3.Connection, document: int) -> int:
    row = connection.execute("SELECT position FROM reached WHERE document = ?", (document,)).fetchone()
    return int(row[0]) if row else 0


def parts_of(data: bytes) -> list[list[memoryview]]:
    """`data` in rows, and the rows that may be written at once; nothing is copied, it may be megabytes."""
    whole = memoryview(data)
    if len(data) <= SMALL_BYTES:
        small = [whole[at : at + SMALL_PART_BYTES] for at in range(0, len(data), SMALL_PART_BYTES)]
        return [small] if small else []
    return [[whole[at : at + PART_BYTES]] for at in range(0, len(data), PART_BYTES)]


def write_parts(
    connection: sqlite3.Connection,
    document: int,
    generation: int,
    kind: Kind,
    first: int,
    parts: Sequence[memoryview],
) -> None:
    rows = [(document, generation, kind, first + number, part) for number, part in enumerate(parts)]
    with transaction(connection):
        connection.executemany("INSERT INTO bases VALUES (?, ?, ?, ?, ?)", rows)


def newest_generation(connection: sqlite3.Connection, document: int) -> int:
    """The highest generation with parts in the store, in use or left by a compaction that ended half way."""
    row = connection.execute("SELECT max(generation) FROM bases WHERE document = ?", (document,)).fetchone()
    return int(row[0] or 0)


def clocks_through(
    connection: sqlite3.Connection, document: DocumentName, row: DocumentRow, through: int
) -> dict[int, int]:
    """Where every client stands after the turn at `through`. Raises StoreError when the log ends before
    it.
    """
    clocks = decode_clocks(row.clocks)
    reached = row.base_position
    for position, turn in read_rows(connection, row.id, reached, through - reached):
        if position != reached + 1:
            break
        reached = position
        advance(clocks, (decode_turn(turn, document),))
    if reached != through:
        raise StoreError(f"A base through position {through} covers turns that the log does not have.")
    return clocks


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
            "UPDATE documents SET base_position = ?, generation = ?, clocks = ?, checked = ?"
            " WHERE id = ? AND base_position < ?",
            (new.base_position, new.generation, new.clocks, new.checked, new.id, new.base_position),
        )


def shred(connection: sqlite3.Connection, delete: Callable[..., bool], *args: int | None) -> bool:
    """`delete`, and overwrite what is deleted: nothing of a deleted session stays in pages that are free."""
    connection.execute("PRAGMA secure_delete=ON")
    try:
        return delete(connection, *args)
    finally:
        connection.execute("PRAGMA secure_delete=FAST")


def delete_some_turns(connection: sqlite3.Connection, document: int, through: int | None) -> bool:
    """Delete the oldest turns up to a position, or of the whole log; whether there may be more. Those that
    are large a few at a time, since all their pages are gone over: 90 ms for 50 MB, in which others wait.
    """
    low, high = rows_of(document)
    if through is not None:
        high = row_of(document, through)
    rows = connection.execute(
        "SELECT row, length(turn), substr(turn, 1, ?) FROM log WHERE row > ? AND row <= ?"
        " ORDER BY row LIMIT ?",
        (large_turns.HEAD_BYTES, low, high, ROWS_PER_DELETE),
    ).fetchall()
    last, size, heads = low, 0, list[bytes]()
    for row, length, head in rows:
        if size > BYTES_PER_DELETE:
            break
        last, size = row, size + large_turns.size_of(head, length)
        heads.append(head)
    with transaction(connection):
        large_turns.drop(connection, large_turns.numbers_in(heads))
        connection.execute("DELETE FROM log WHERE row > ? AND row <= ?", (low, last))
    return len(rows) == ROWS_PER_DELETE or bool(rows and last < rows[-1][0])


def delete_some_parts(connection: sqlite3.Connection, document: int, keep_generation: int) -> bool:
    """Delete parts of bases that are not in use; whether there may be more."""
    done = connection.execute(
        "DELETE FROM bases WHERE rowid IN"
        " (SELECT rowid FROM bases WHERE document = ? AND generation != ? LIMIT ?)",
        (document, keep_generation, PARTS_PER_DELETE),
    )
    return done.rowcount == PARTS_PER_DELETE
