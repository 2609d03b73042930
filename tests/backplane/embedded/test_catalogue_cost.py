"""What finding sessions costs does not grow with their number."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backplane.many_sessions import FULL_SESSIONS, QUERIES, SESSIONS, nth_session

from threadline_server.backplane.base import SessionQuery
from threadline_server.backplane.embedded import catalogue
from threadline_server.backplane.embedded.log import transaction
from threadline_server.backplane.embedded.schema import FILE_NAME, connect, prepare
from threadline_server.backplane.facets import EXAMINED_PER_PAGE

MOST_STEPS = 150_000  # of SQLite's virtual machine, for a page


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> int:
    return FULL_SESSIONS if request.config.getoption("--full") else SESSIONS


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory, count: int) -> sqlite3.Connection:
    directory: Path = tmp_path_factory.mktemp("data")
    prepare(directory)
    connection = connect(directory / FILE_NAME)
    for first in range(0, count, SESSIONS):
        with transaction(connection):
            for number in range(first, first + SESSIONS):
                catalogue._put(connection, None, nth_session(number))
    return connection


def steps_of(connection: sqlite3.Connection, query: SessionQuery) -> int:
    """How many steps of the virtual machine a page took, in thousands."""
    steps = 0

    def more() -> int:
        nonlocal steps
        steps += 1_000
        return 0

    connection.set_progress_handler(more, 1_000)
    catalogue.list_page(connection, query)
    connection.set_progress_handler(None, 0)
    return steps


def test_a_page_walks_a_small_part_of_the_catalogue(
    connection: sqlite3.Connection, count: int, figures: Callable[[str], None]
) -> None:
    lines = [f"A page of the embedded catalogue of {count} sessions:"]
    for words, query in QUERIES.items():
        steps = steps_of(connection, query)
        began = time.perf_counter()
        page = catalogue.list_page(connection, query)
        taken_ms = (time.perf_counter() - began) * 1000
        lines.append(f"  {words:<28}{len(page.sessions):>4} found{steps:>9} steps{taken_ms:>8.1f} ms")
        assert steps < MOST_STEPS, words
    figures("\n".join(lines))


def test_a_text_nobody_wrote_ends_in_bounded_pages(connection: sqlite3.Connection, count: int) -> None:
    query = SessionQuery(text="never written")
    page = catalogue.list_page(connection, query)
    assert page.sessions == ()
    assert page.cursor is not None
    pages = 1
    while page.cursor is not None:
        page = catalogue.list_page(connection, replace(query, cursor=page.cursor))
        pages += 1
    assert pages == count // EXAMINED_PER_PAGE + 1


def test_pages_give_every_session_of_a_user_once(connection: sqlite3.Connection, count: int) -> None:
    seen: list[str] = []
    query: SessionQuery | None = SessionQuery(user="user7", limit=7)
    while query is not None:
        page = catalogue.list_page(connection, query)
        seen += [record.id for record in page.sessions]
        query = replace(query, cursor=page.cursor) if page.cursor else None
    assert seen == [f"s{number}" for number in range(count - 993, 0, -1_000)]
