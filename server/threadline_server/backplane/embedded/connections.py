"""Connections for what may be slow: a few that read, one that writes, each used by one thread at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from threadline.errors import StoreError
from threadline_server.background import background_thread
from threadline_server.backplane.base import Damaged
from threadline_server.backplane.embedded.schema import WRITER_CACHE_KIB, connect
from threadline_server.backplane.embedded.turnstile import Turnstile

READERS = 3

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Connections:
    """Raises StoreError for whatever SQLite raises, Damaged where it says that the file is not sound."""

    def __init__(self, path: Path, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._readers = [connect(path) for _ in range(READERS)]
        self._writer = connect(path, WRITER_CACHE_KIB)
        self._reading = anyio.CapacityLimiter(READERS)
        self._writing = anyio.CapacityLimiter(1)
        self._background = background_thread("threadline-store")

    async def read(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """`work` on a connection of its own, in a thread."""
        return await anyio.to_thread.run_sync(self._read, work, *args, limiter=self._reading)

    async def write(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """`work` on the writing connection, in a thread, while nobody else writes. Keep it short: others
        wait.
        """
        return await anyio.to_thread.run_sync(self._write, work, *args, limiter=self._writing)

    async def read_in_background(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """As `read`, for what may take its time."""
        async with self._reading:
            return await self._run_in_background(partial(self._read, work, *args))

    async def write_in_background(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        """As `write`, for what may take its time."""
        async with self._writing:
            return await self._run_in_background(partial(self._write, work, *args))

    async def _run_in_background(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._background, call)

    def _read(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        connection = self._readers.pop()
        try:
            return work(connection, *args)
        except sqlite3.Error as error:
            kind = Damaged if _is_damage(error) else StoreError
            raise kind(f"The store could not be read: {error}.") from error
        except UnicodeDecodeError as error:
            raise Damaged("The store could not be read: it holds text that is none.") from error
        finally:
            self._readers.append(connection)

    def _write(self, work: Callable[[sqlite3.Connection, *Args], T], *args: *Args) -> T:
        try:
            with self._turnstile.thread():
                return work(self._writer, *args)
        except sqlite3.Error as error:
            raise StoreError(f"The store could not be written: {error}.") from error

    async def beside_writer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` on the writing connection without keeping the loop from writing: for checkpoints."""
        return await anyio.to_thread.run_sync(work, self._writer, limiter=self._writing)

    def close(self) -> None:
        """Blocking. The last connection that closes moves the WAL into the database file."""
        self._background.shutdown()
        for connection in (*self._readers, self._writer):
            connection.close()
        self._readers.clear()


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
