"""A follower over a feed that loses, doubles and reorders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline_server.backplane.base import DocumentName, LoggedTurn, NodeId, Position, Turn
from threadline_server.backplane.follower import Follower

TRIP = DocumentName("trip")


def logged(position: int) -> LoggedTurn:
    return LoggedTurn(Position(position), Turn(NodeId("a"), "e", ()))


class Log:
    """A log of `length` turns of which the first `trimmed` are gone, and a follower of it."""

    def __init__(self, length: int, trimmed: int = 0, after: int = 0) -> None:
        self.length, self.trimmed = length, trimmed
        self.got: list[int] = []
        self.lost = self.deleted = self.repairs = 0
        self.wanted = self.sending = False
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None
        self.follower = Follower(
            TRIP,
            Position(after),
            lambda turn: self.got.append(turn.position),
            self._on_deleted,
            self._on_lost,
            repair=self._want,
            on_close=lambda follower: None,
            expects=lambda document: self.sending,
        )

    def _on_deleted(self) -> None:
        self.deleted += 1

    def _on_lost(self) -> None:
        self.lost += 1

    def _want(self, follower: Follower) -> None:
        self.wanted = True

    def repair(self) -> None:
        if self.wanted:
            self.wanted = False
            self.repairs += 1
            asyncio.run(self.follower.repair(self.read))

    async def read(
        self, document: DocumentName, after: Position, limit: int
    ) -> tuple[tuple[LoggedTurn, ...], Position]:
        first = max(after, self.trimmed) + 1
        found = [logged(position) for position in range(first, self.length + 1)][:limit]
        self.reads += 1
        self.while_reading()
        return tuple(found), Position(self.trimmed)


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60))
def test_whatever_the_feed_does_every_turn_comes_once_in_order(feed: list[tuple[int, bool]]) -> None:
    log = Log(length=0)
    for position, repair_now in feed:
        log.length = max(log.length, position)
        log.follower.offer(logged(position))
        if repair_now:
            log.repair()
    log.repair()
    assert log.got == list(range(1, log.length + 1))


@pytest.mark.parametrize(("length", "trimmed"), [(10, 6), (6, 6)])
def test_a_follower_that_the_log_was_trimmed_past_is_told(length: int, trimmed: int) -> None:
    log = Log(length, trimmed, after=3)
    log.follower.catch_up()
    log.repair()
    assert (log.lost, log.got, log.follower.closed) == (1, [], True)


def test_a_closed_follower_is_told_nothing() -> None:
    log = Log(length=3)
    log.follower.close()
    log.follower.offer(logged(1))
    log.follower.delete()
    log.follower.lose()
    assert (log.got, log.deleted, log.lost, log.wanted) == ([], 0, 0, False)


def test_a_long_log_is_read_in_pieces() -> None:
    log = Log(length=1_750)
    log.follower.catch_up()
    log.repair()
    assert log.got == list(range(1, 1_751))


def test_a_read_is_not_repeated_for_turns_of_this_node_that_are_on_their_way() -> None:
    """A node that writes without pause: with each read its next turn is taken, and announced."""
    log = Log(length=3)

    def write_on() -> None:
        log.length += 1
        log.sending = True
        log.follower.announce(Position(log.length))

    log.while_reading = write_on
    log.follower.catch_up()
    log.repair()
    assert (log.reads, log.got) == (1, [1, 2, 3])
    log.sending = False
    log.follower.offer(logged(4))
    log.follower.settle()
    assert (log.wanted, log.got) == (False, [1, 2, 3, 4])


def test_turns_that_arrive_while_the_log_is_read_are_not_read_again() -> None:
    log = Log(length=3)

    def take_one() -> None:
        log.length += 1
        log.follower.offer(logged(log.length))
        log.follower.announce(Position(log.length))

    log.while_reading = take_one
    log.follower.catch_up()
    log.repair()
    assert (log.reads, log.got) == (1, [1, 2, 3, 4])


def test_a_turn_that_was_announced_while_the_log_was_read_is_read() -> None:
    log = Log(length=0)

    def announce_one() -> None:
        if log.length == 0:
            log.length = 1
            log.follower.announce(Position(1))

    log.while_reading = announce_one
    log.follower.catch_up()
    log.repair()
    assert (log.reads, log.got) == (2, [1])
    assert not log.follower.repairing


def test_what_the_log_does_not_have_is_not_asked_for_without_end() -> None:
    log = Log(length=2)
    log.follower.announce(Position(5))
    log.repair()
    assert (log.reads, log.got, log.follower.repairing) == (2, [1, 2], False)
