"""A follower over a feed that loses, doubles and reorders."""

from __future__ import annotations

import asyncio

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
        self.wanted = False
        self.follower = Follower(
            TRIP,
            Position(after),
            lambda turn: self.got.append(turn.position),
            self._on_deleted,
            self._on_lost,
            repair=self._want,
            on_close=lambda follower: None,
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
