"""Turns are deleted in transactions that stay short, however large the turns are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from threadline_server.backplane.embedded.log import BYTES_PER_DELETE, ROWS_PER_DELETE, delete_some_turns
from threadline_server.backplane.embedded.schema import TABLES, row_of

DOCUMENT, OTHER = 7, 8


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(TABLES)
        yield connection


def fill(connection: sqlite3.Connection, document: int, sizes: list[int]) -> None:
    rows = [(row_of(document, position), bytes(size)) for position, size in enumerate(sizes, 1)]
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
