"""What finding sessions costs does not grow with their number."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.contract.writing import a_session

from threadline_server.backplane.base import SessionQuery
from threadline_server.backplane.embedded import catalogue
from threadline_server.backplane.embedded.log import transaction
from threadline_server.backplane.embedded.schema import FILE_NAME, connect, prepare
from threadline_server.backplane.facets import EXAMINED_PER_PAGE

SESSIONS = 20_000


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    directory: Path = tmp_path_factory.mktemp("data")
    prepare(directory)
    connection = connect(directory / FILE_NAME)
    with transaction(connection):
        for n in range(SESSIONS):
            record = a_session(
                f"s{n}",
                owner=f"user{n % 1_000}",
                active_ms=n,
                status="rare" if n == 3 else "idle",
                agent="home",
            )
            catalogue._put(connection, None, record)
    return connection


def steps_of(connection: sqlite3.Connection, query: SessionQuery) -> int:
    """How many thousands of virtual machine steps a page took."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1_000)
    catalogue.list_page(connection, query)
    connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize(
    "query",
    [
        SessionQuery(),
        SessionQuery(user="user7"),
        SessionQuery(visible_to="user7", status="idle"),
        SessionQuery(status="rare", agent="home"),
        SessionQuery(agent="home", active_before_ms=10_000),
    ],
)
def test_a_page_walks_a_small_part_of_the_catalogue(
    connection: sqlite3.Connection, query: SessionQuery
) -> None:
    assert steps_of(connection, query) < 150


def test_a_text_nobody_wrote_ends_in_bounded_steps(connection: sqlite3.Connection) -> None:
    query = SessionQuery(text="never written")
    page = catalogue.list_page(connection, query)
    assert page.sessions == ()
    assert page.cursor is not None
    pages = 1
    while page.cursor is not None:
        page = catalogue.list_page(connection, SessionQuery(text="never written", cursor=page.cursor))
        pages += 1
    assert pages == SESSIONS // EXAMINED_PER_PAGE + 1
