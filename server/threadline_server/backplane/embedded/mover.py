"""Brings turns from the journal into the table of the log: in the background, or at once for whoever reads.

What is not moved is kept here by document, since a table is written fastest in its own order, and a page once
for many turns of a session. A file of the journal that has become long is left for the other one; when all of
it is in the table for good, it may be written over.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio.to_thread

from threadline.errors import StoreError
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded import log
from threadline_server.backplane.embedded.connections import Connections
from threadline_server.backplane.embedded.journal import (
    Journal,
    Row,
    Segment,
    find,
    last_generation,
)
from threadline_server.backplane.embedded.journal_mark import expect_whole
from threadline_server.backplane.embedded.schema import POSITION_BITS, document_of, position_of

MAX_TURNS = 200_000
MAX_BYTES = 64 * 1024 * 1024
"""Of what is not moved; above that nothing is taken until some of it is."""

ROLL_BYTES = 8 * 1024 * 1024
_TURNS_AT_ONCE = 512
_SHARE_AT_ONCE = 16
"""Of one transaction: so many turns, or this part of those that wait where that is more."""

_TURNS_OF_A_START = 8_192
_BYTES_AT_ONCE = 1024 * 1024
_NO_DOCUMENT = 1 << POSITION_BITS
"""The base of a document that is gone stands for all turns."""


_Write = Callable[..., Awaitable[None]]


class _Pile:
    """The turns of a document that are not moved yet, one at least, and their bytes."""

    __slots__ = ("rows", "size")

    def __init__(self, row: Row) -> None:
        self.rows: list[Row] = [row]
        self.size: int = len(row[1])

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.size += len(row[1])

    def first(self, most: int, most_bytes: int) -> tuple[int, int]:
        """How many of the first turns, and bytes, one at least."""
        if len(self.rows) <= most and self.size <= most_bytes:
            return len(self.rows), self.size
        count = size = 0
        while count < min(most, len(self.rows)) and size < most_bytes:
            size += len(self.rows[count][1])
            count += 1
        return count, size


class _Part:
    """What one transaction moves: `rows` are those of all `shares`, each a document, how many of its first
    turns, and their bytes.
    """

    __slots__ = ("rows", "shares", "size")

    def __init__(self) -> None:
        self.shares: list[tuple[DocumentName, int, int]] = []
        self.rows: list[Row] = []
        self.size: int = 0

    def add(self, document: DocumentName, pile: _Pile, count: int, size: int) -> None:
        self.shares.append((document, count, size))
        self.rows.extend(pile.rows if count == len(pile.rows) else pile.rows[:count])
        self.size += size


class Mover:
    """turns, size: of what is not in the table yet, the latter in bytes
    error:       why the last move failed; None once one succeeded
    emptied:     all is in the table, and nothing will come

    `durable` waits until all that was committed to the table is on disk.
    """

    def __init__(
        self,
        connections: Connections,
        journal: Journal,
        *,
        durable: Callable[[], Awaitable[None]],
        on_moved: Callable[[], None],
    ) -> None:
        self.turns = 0
        self.size = 0
        self.error: Exception | None = None
        self.emptied = False
        self._connections = connections
        self._journal = journal
        self._durable = durable
        self._on_moved = on_moved
        self._pending: dict[DocumentName, _Pile] = {}
        self._leaving: Segment | None = None
        self._one_at_a_time = asyncio.Lock()

    def add(self, document: DocumentName, row: Row) -> None:
        """It was taken."""
        pile = self._pending.get(document)
        if pile is None:
            self._pending[document] = _Pile(row)
        else:
            pile.add(row)
        self.turns += 1
        self.size += len(row[1])

    @property
    def full(self) -> bool:
        return self.turns >= MAX_TURNS or self.size >= MAX_BYTES

    async def settle(self, document: DocumentName) -> None:
        """What was taken of it is in the table afterwards. Raises StoreError."""
        if document not in self._pending:
            return
        async with self._one_at_a_time:
            pile = self._pending.get(document)
            if pile is not None:
                part = _Part()
                part.add(document, pile, len(pile.rows), pile.size)
                await self._write(self._connections.write, part)

    async def move(self) -> None:
        """What was taken before is in the table afterwards. Raises StoreError."""
        await self._move(self._connections.write)

    async def _move(self, write: _Write) -> None:
        order = sorted(self._pending, key=self._first_row, reverse=True)
        while order:
            async with self._one_at_a_time:
                part = self._next_part(order)
                if part.rows:
                    await self._write(write, part)

    def _first_row(self, document: DocumentName) -> int:
        return self._pending[document].rows[0][0]

    def _next_part(self, order: list[DocumentName]) -> _Part:
        """What one transaction moves, from the end of `order`: few turns, since others may wait meanwhile;
        more when many wait.
        """
        part = _Part()
        most = max(_TURNS_AT_ONCE, self.turns // _SHARE_AT_ONCE)
        while order and len(part.rows) < most and part.size < _BYTES_AT_ONCE:
            pile = self._pending.get(order[-1])
            if pile is None:  # somebody settled it
                order.pop()
                continue
            count, size = pile.first(most - len(part.rows), _BYTES_AT_ONCE - part.size)
            part.add(order[-1], pile, count, size)
            if count < len(pile.rows):
                break
            order.pop()
        return part

    async def _write(self, write: _Write, part: _Part) -> None:
        try:
            await write(log.move_turns, part.rows)
        except StoreError as error:
            self.error = error
            raise
        self.error = None
        was_full = self.full
        for document, count, size in part.shares:
            self._forget(document, count, size)
        self.turns -= len(part.rows)
        self.size -= part.size
        if was_full and not self.full:
            self._on_moved()

    def _forget(self, document: DocumentName, count: int, size: int) -> None:
        """They were moved. More may have come behind them."""
        pile = self._pending[document]
        if count == len(pile.rows):
            del self._pending[document]
        else:
            del pile.rows[:count]
            pile.size -= size

    async def keep_up(self) -> None:
        """Move what there is, and go on in the other file where this one is long. Raises StoreError."""
        journal = self._journal
        try:
            if journal.spare is not None and (journal.size >= ROLL_BYTES or journal.to_wipe):
                await _clear(journal.spare)
                self._leaving = journal.roll()
            await self._move(self._connections.write_in_background)
            if self._leaving is not None:
                await self._leave(self._leaving)
        except OSError as error:
            raise StoreError(f"The journal could not be begun anew: {error}.") from error

    async def empty(self) -> None:
        """At the end, when nothing is taken any more. Raises StoreError."""
        await self.move()
        await self._connections.write(log.note_generation, self._journal.generation)
        self.emptied = True

    async def _leave(self, segment: Segment) -> None:
        """All that it had was moved: let it be written over once that is on disk."""
        await self._connections.write(log.note_generation, segment.generation)
        await self._durable()
        await _clear(segment)
        self._journal.reuse(segment)
        self._leaving = None


async def _clear(segment: Segment) -> None:
    """Of what must not stay. Raises OSError."""
    if segment.wipe:
        await anyio.to_thread.run_sync(segment.clear)


def recover(connection: sqlite3.Connection, directory: Path) -> int:
    """Blocking. At the start: move what the journal has; gives back its last generation, all of which is in
    the table then. Raises sqlite3.Error, OSError, Damaged.
    """
    moved = log.moved_generation(connection)
    found = find(directory, moved)
    expect_whole(directory, found, moved)
    move_at_once(connection, [row for one in found for row in one.rows])
    last = max(moved, last_generation(directory))
    log.note_generation(connection, last)
    return last


def move_at_once(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Blocking. What a journal had; those that a base stands for by now, or nothing any more, are left out.
    Raises sqlite3.Error.
    """
    bases = log.base_positions(connection) if rows else {}
    wanted = [
        (row, turn) for row, turn in rows if position_of(row) > bases.get(document_of(row), _NO_DOCUMENT)
    ]
    for first in range(0, len(wanted), _TURNS_OF_A_START):
        log.move_turns(connection, wanted[first : first + _TURNS_OF_A_START])
