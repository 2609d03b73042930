"""Large turns, which are put into the store in parts before they have their place in the log.

A megabyte would keep the loop while it is written to the journal, and SQLite's other writers while it is
moved. So a thread writes it in parts, each in a transaction of its own, and has them synced. What goes the
way of other turns then says only where they are:

    row = 0 number size         varUints; no encoded turn begins with 0

A number stands in `putting` until that row is in the log's table, with which it goes. What a crash leaves of
a turn that got no place is deleted at the next start, after the journal was moved.

Blocking; called by whom `log` says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from threadline.protocol.errors import MalformedFrame
from threadline.protocol.varint import Reader, encode_uint
from threadline_server.backplane.turn_bytes import DamagedTurn

LARGE_BYTES = 128 * 1024
"""From here on a turn is put down in parts."""

PART_BYTES = 128 * 1024
HEAD_BYTES = 24
"""What tells a row that refers to parts, and where they are."""

_PART_BITS = 20
_REFERENCE = b"\x00"


class PutDown:
    """A turn of which the store has all parts. `turn_hash` is what a retry is known by."""

    __slots__ = ("number", "size", "turn_hash")

    def __init__(self, number: int, size: int, turn_hash: int) -> None:
        self.number: int = number
        self.size: int = size
        self.turn_hash: int = turn_hash

    @property
    def reference(self) -> bytes:
        """What stands in the log."""
        return _REFERENCE + encode_uint(self.number) + encode_uint(self.size)


def hash_of(turn: bytes) -> int:
    """What an encoded turn is known by. That of a large one is taken without holding the interpreter."""
    if len(turn) < LARGE_BYTES:
        return hash(turn)
    return int.from_bytes(sha256(turn).digest()[:8], "big")


def parts_of(turn: bytes) -> Iterator[memoryview]:
    whole = memoryview(turn)
    for start in range(0, len(turn), PART_BYTES):
        yield whole[start : start + PART_BYTES]


def next_number(connection: sqlite3.Connection) -> int:
    """The first that is free, after what a crash left was deleted."""
    drop(connection, [number for (number,) in connection.execute("SELECT number FROM putting").fetchall()])
    last = connection.execute("SELECT max(part) FROM large_turns").fetchone()[0]
    return ((last or 0) >> _PART_BITS) + 1


def begin(connection: sqlite3.Connection, number: int) -> None:
    """Parts of `number` follow. Idempotent."""
    connection.execute("INSERT OR REPLACE INTO putting VALUES (?)", (number,))


def put_part(connection: sqlite3.Connection, number: int, place: int, data: memoryview) -> None:
    """The part at `place`, from 0. Idempotent."""
    row = number << _PART_BITS | place
    connection.execute("INSERT OR REPLACE INTO large_turns VALUES (?, ?)", (row, data))


def end(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Rows of the log refer to them from this transaction on."""
    connection.executemany("DELETE FROM putting WHERE number = ?", [(number,) for number in numbers])


def drop(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete them. Idempotent."""
    bounds = [(number << _PART_BITS, number + 1 << _PART_BITS) for number in numbers]
    connection.executemany("DELETE FROM large_turns WHERE part >= ? AND part < ?", bounds)
    end(connection, numbers)


def is_reference(row: bytes) -> bool:
    return row.startswith(_REFERENCE)


def whole(connection: sqlite3.Connection, row: bytes) -> bytes:
    """The encoded turn of a row of the log, wherever it is. What is missing its checksum tells."""
    if not is_reference(row):
        return row
    number, _ = _read(row)
    parts = connection.execute(
        "SELECT data FROM large_turns WHERE part >= ? AND part < ? ORDER BY part",
        (number << _PART_BITS, number + 1 << _PART_BITS),
    )
    return b"".join([data for (data,) in parts])


def size_of(row: bytes, length: int) -> int:
    """The size of an encoded turn of which `row` is the first `HEAD_BYTES` of its `length` in the log."""
    return _read(row)[1] if is_reference(row) else length


def numbers_in(rows: Iterable[bytes]) -> list[int]:
    """Of those rows that refer to parts."""
    return [_read(row)[0] for row in rows if is_reference(row)]


def _read(row: bytes) -> tuple[int, int]:
    reader = Reader(row, len(_REFERENCE))
    try:
        return reader.read_uint(), reader.read_uint()
    except MalformedFrame as error:
        raise DamagedTurn("The place of a stored turn cannot be read.") from error
