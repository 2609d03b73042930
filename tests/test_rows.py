"""The table of capabilities names the tests that show them."""

from __future__ import annotations

from tests.rows import PAGE, marked, with_tests


def test_the_table_is_up_to_date() -> None:
    """`python tests/rows.py --write` makes it so."""
    page = PAGE.read_text()
    assert page == with_tests(page)


def test_every_marked_row_of_these_groups_is_in_the_table() -> None:
    page = PAGE.read_text()
    rows = [row for row in marked() if row.startswith(("S1-", "S3-", "S4-"))]
    assert [row for row in rows if f"| {row} |" not in page] == []
