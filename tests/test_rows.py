"""The table of capabilities names the tests that show them."""

from __future__ import annotations

import re

from tests.rows import PAGE, marked, words_of

_ROW = re.compile(r"^\| (S\d-\d+) \| .*? \|(.*)\|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def test_every_link_of_the_table_is_of_a_test_that_shows_the_row() -> None:
    """`python -m tests.rows --write` brings the table up to date."""
    shown = {(row, words_of(name), path) for row, tests in marked().items() for path, name in tests}
    linked = {
        (row, words, path)
        for row, links in _ROW.findall(PAGE.read_text())
        for words, path in _LINK.findall(links)
    }
    assert linked
    assert linked - shown == set()


def test_every_row_that_a_test_shows_is_in_the_table() -> None:
    page = PAGE.read_text()
    rows = [row for row in marked() if row.startswith(("S1-", "S3-", "S4-"))]
    assert [row for row in rows if f"| {row} |" not in page] == []
