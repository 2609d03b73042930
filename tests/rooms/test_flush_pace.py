"""The loop does not rest, until many rooms make thousands of turns a second."""

from __future__ import annotations

import pytest

from threadline_server.rooms.flush_pace import FlushPace


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def after(turns_per_s: int, turns_per_flush: int, rooms: int, pace: FlushPace, clock: Clock) -> bool:
    """What the pace is once that went on for a while, in so many rooms."""
    turn = 0
    for _ in range(400):
        clock.s += turns_per_flush / turns_per_s
        pace.note([(turn + more) % rooms for more in range(turns_per_flush)])
        turn += turns_per_flush
    return pace.rests


@pytest.mark.parametrize(
    ("turns_per_s", "turns_per_flush", "rooms", "rests"),
    [
        (50, 1, 50, False),
        (2_000, 1, 100, False),
        (10_000, 2, 200, True),
        (30_000, 10, 200, True),
        (100_000, 500, 500, True),
        (30_000, 1, 1, False),
        (30_000, 2, 10, False),
    ],
)
def test_the_loop_rests_where_many_rooms_make_many_turns(
    turns_per_s: int, turns_per_flush: int, rooms: int, rests: bool
) -> None:
    clock = Clock()
    assert after(turns_per_s, turns_per_flush, rooms, FlushPace(clock), clock) is rests


def test_nothing_waits_again_when_it_becomes_quiet() -> None:
    clock = Clock()
    pace = FlushPace(clock)
    assert after(30_000, 5, 200, pace, clock)
    clock.s += 1.0
    pace.note(["one"])
    assert not pace.rests
