"""Turns are deleted in transactions that stay short, however large the turns are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract.writing import a_document

from threadline.ids import split_document_name
from threadline_server.backplane.base import Position
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.log import (
    BYTES_PER_DELETE,
    ROWS_PER_DELETE,
    delete_some_turns,
    shred,
)
from threadline_server.backplane.embedded.schema import (
    FILE_NAME,
    LARGE_TURNS,
    TABLES,
    connect,
    prepare,
    row_of,
)

DOCUMENT, OTHER = 7, 8


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(TABLES + LARGE_TURNS)
        yield connection


def fill(connection: sqlite3.Connection, document: int, sizes: list[int]) -> None:
    rows = [(row_of(document, position), b"t" * size) for position, size in enumerate(sizes, 1)]
    connection.executemany("INSERT INTO log VALUES (?, ?)", rows)


def left(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM log").fetchone()[0])


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ([], 1),
        ([10] * 20, 1),
        ([10] * (ROWS_PER_DELETE + 1), 2),
        ([BYTES_PER_DELETE + 1] * 5, 5),
        ([BYTES_PER_DELETE // 2] * 6, 2),
    ],
)
def test_all_are_deleted_in_so_many_steps(
    connection: sqlite3.Connection, sizes: list[int], steps: int
) -> None:
    fill(connection, DOCUMENT, sizes)
    fill(connection, OTHER, [10])
    taken = 1
    while delete_some_turns(connection, DOCUMENT, None):
        taken += 1
    assert (taken, left(connection)) == (steps, 1)


def test_turns_behind_a_position_stay(connection: sqlite3.Connection) -> None:
    fill(connection, DOCUMENT, [BYTES_PER_DELETE] * 9)
    while delete_some_turns(connection, DOCUMENT, 6):
        pass
    assert left(connection) == 3


def deleted(connection: sqlite3.Connection, *, shredded: bool) -> bool:
    """Some more of the log; whether there may be more."""
    if shredded:
        return shred(connection, delete_some_turns, DOCUMENT, None)
    return delete_some_turns(connection, DOCUMENT, None)


@pytest.mark.parametrize("shredded", [True, False])
def test_what_a_base_stands_for_is_not_written_again(tmp_path: Path, shredded: bool) -> None:
    """What is shredded is: the WAL then has every page that was given free."""
    prepare(tmp_path)
    with closing(connect(tmp_path / FILE_NAME)) as connection:
        fill(connection, DOCUMENT, [BYTES_PER_DELETE] * 8)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        while deleted(connection, shredded=shredded):
            pass
        written = (tmp_path / f"{FILE_NAME}-wal").stat().st_size
    assert written > 8 * BYTES_PER_DELETE if shredded else written < BYTES_PER_DELETE


def says(directory: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in directory.iterdir() if path.is_file())


@pytest.mark.asyncio
async def test_nothing_of_a_deleted_session_stays_in_the_file(tmp_path: Path) -> None:
    secret = "what nobody is to read"
    store = EmbeddedBackplane(tmp_path)
    await store.open()
    writer = await a_document(store)
    for text in (secret, secret * 5_000):
        await writer.write(text)
    await store.compact(writer.document, writer.lineage, secret.encode() * 5_000, b"", Position(1))
    assert says(tmp_path, secret)
    session = split_document_name(writer.document)[0]
    await store.delete_session(session)
    await store.close()
    assert not says(tmp_path, secret)
