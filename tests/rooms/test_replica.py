"""What a replica keeps of what it encoded."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc, Text

from threadline_server.rooms.replica import Replica

NOTHING = b"\x00"


def typed(letters: str) -> list[bytes]:
    """An update for each letter."""
    doc: Doc[Any] = Doc(client_id=9)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    for letter in letters:
        doc.get("typed", type=Text).insert(0, letter)
    return updates


def of_size(size: int) -> Replica:
    doc: Doc[Any] = Doc(client_id=7)
    doc.get("text", type=Text).insert(0, "x" * size)
    replica = Replica()
    replica.integrate([doc.get_update()])
    return replica


def test_what_was_encoded_for_a_base_is_given_to_who_comes_with_nothing() -> None:
    replica = of_size(1_000)
    base = replica.encode()
    assert replica.encoded
    replica.integrate(typed("a"), recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert difference.step2 is base
    assert len(difference.updates) == 1


@pytest.mark.parametrize(("size", "kept"), [(100_000, False), (2_000_000, True)])
def test_what_nobody_asks_for_is_let_go_unless_it_is_dear(size: int, kept: bool) -> None:
    replica = of_size(size)
    replica.encode()
    for _ in range(10):
        replica.drop_unused()
    assert replica.encoded is kept


def test_a_document_that_was_never_encoded_is_given_as_it_came() -> None:
    replica = Replica()
    few, more = typed("few"), typed("x" * 100)
    replica.integrate(few, recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert [difference.step2, *difference.updates] == few
    assert difference.whole
    replica.integrate(more, recent_limit=10_000)
    assert not replica.encoded
    assert not replica.difference(NOTHING).updates


@pytest.mark.parametrize("failed", [True, False])
def test_an_encoding_made_elsewhere_is_followed_by_what_came_since(failed: bool) -> None:
    replica = of_size(1_000)
    elsewhere = replica.encode()
    replica.begin_encoding()
    update, *_ = typed("a")
    replica.integrate([update], recent_limit=10_000)
    replica.take_encoding(None if failed else bytes(bytearray(elsewhere)), recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert (difference.step2, difference.updates) == (elsewhere, (update,))
    assert (difference.step2 is elsewhere) is failed


def test_an_encoding_made_elsewhere_is_of_no_use_when_much_came_since() -> None:
    replica = of_size(1_000)
    replica.begin_encoding()
    replica.integrate(typed("a" * 2_000), recent_limit=1_000_000)
    replica.take_encoding(b"made before", recent_limit=1_000_000)
    assert not replica.encoded


@pytest.mark.parametrize(("size", "kept"), [(100_000, False), (10_000_000, True)])
def test_more_updates_may_follow_an_encoding_that_is_large(size: int, kept: bool) -> None:
    replica = of_size(size)
    replica.encode()
    for update in typed("a" * 2_000):
        replica.integrate([update])
    assert replica.encoded is kept
