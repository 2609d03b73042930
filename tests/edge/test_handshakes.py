"""A few at a time, in order, and nobody waits for one that is stuck."""

from __future__ import annotations

import asyncio

import pytest

from threadline_server.edge import handshakes
from threadline_server.edge.handshakes import Handshakes, Place


@pytest.mark.asyncio
async def test_so_many_begin_and_the_others_follow_in_order() -> None:
    begun: list[tuple[int, Place]] = []
    door = Handshakes(2, 10)
    for number in range(5):
        assert door.enter(lambda place, number=number: begun.append((number, place)))  # type: ignore[misc]
    assert [number for number, _ in begun] == [0, 1]
    begun[1][1].leave()
    begun[1][1].leave()
    begun[0][1].leave()
    assert [number for number, _ in begun] == [0, 1, 2, 3]
    for _, place in begun:
        place.leave()
    begun[4][1].leave()
    assert (door.running, door.waiting) == (0, 0)


@pytest.mark.asyncio
async def test_too_many_that_wait_are_turned_away() -> None:
    door = Handshakes(1, 1)
    places: list[Place] = []
    assert door.enter(places.append)
    assert door.enter(places.append)
    assert not door.enter(places.append)
    places[0].leave()
    places[1].leave()


@pytest.mark.asyncio
async def test_one_that_is_stuck_gives_its_place_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "HELD_S", 0.01)
    door = Handshakes(1)
    stuck = await door.turn()
    after = await asyncio.wait_for(door.turn(), 5)
    assert stuck is not after
    after.leave()


@pytest.mark.asyncio
async def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next() -> None:
    door = Handshakes(1)
    first = await door.turn()
    gone, next_one = asyncio.create_task(door.turn()), asyncio.create_task(door.turn())
    await asyncio.sleep(0)
    gone.cancel()
    first.leave()
    (await asyncio.wait_for(next_one, 5)).leave()
    assert door.running == 0
