"""Members that cannot keep up, and a store that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.devices import UPDATE, Device, assert_converged
from tests.rooms.houses import House, until

from threadline.protocol import close_codes
from threadline_server.rooms.options import RoomOptions


@pytest.mark.asyncio
async def test_a_congested_member_gets_one_difference_when_it_drains(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    phone.say("one")
    await until(lambda: phone.unsaved == 0)
    laptop.congested = True
    phone.say("two")  # this write finds it congested
    await until(lambda: phone.unsaved == 0)
    before = len(laptop.writes)
    for number in range(20):
        phone.say(f"more {number}")
        await until(lambda: phone.unsaved == 0)
    assert len(laptop.writes) == before
    assert room.stats()["behind"] == 1
    laptop.congested = False
    room.drained(laptop)
    assert len(laptop.writes) == before + 1
    assert len(laptop.writes[-1]) == 1 and laptop.writes[-1][0][0] == UPDATE
    assert_converged(phone, laptop)
    assert room.stats()["behind"] == 0
    phone.say("again")
    await until(lambda: "again" in laptop.texts)


@pytest.mark.asyncio
async def test_a_member_still_congested_after_its_difference_stays_behind(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    laptop.congested = True
    phone.say("one")
    await until(lambda: phone.unsaved == 0)
    room.drained(laptop)
    phone.say("two")
    await until(lambda: phone.unsaved == 0)
    assert laptop.texts == ["one"]
    laptop.congested = False
    room.drained(laptop)
    assert_converged(phone, laptop)


@pytest.mark.asyncio
async def test_acknowledgements_wait_for_a_congested_sender(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    await until(lambda: phone.unsaved == 0)
    phone.congested = True
    laptop.say("this write finds the phone congested")
    await until(lambda: laptop.unsaved == 0)
    phone.say("one")
    phone.say("two")
    await until(lambda: room.log.tail.durable)
    assert phone.unsaved == 2
    phone.congested = False
    room.drained(phone)
    assert phone.unsaved == 0


@pytest.mark.asyncio
async def test_a_member_that_never_said_what_it_has_is_sent_nothing(house: House) -> None:
    room = await house.room()
    silent, phone = Device(), Device().join(room)
    room.join(silent)
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    room.drained(silent)
    assert silent.writes == []


@pytest.mark.asyncio
async def test_writers_are_held_while_the_store_is_behind(tmp_path: Path) -> None:
    options = RoomOptions(pause_bytes=2_000, refuse_bytes=20_000)
    async with House(tmp_path, options) as house:
        room = await house.room()
        phone, laptop = Device().join(room), Device("bob").join(room)
        await until(lambda: phone.unsaved == 0)
        for _ in range(4):
            phone.say("x" * 1_000)
        assert phone.held
        assert not laptop.held
        await until(lambda: phone.unsaved == 0)
        assert not phone.held


@pytest.mark.asyncio
async def test_a_writer_that_is_not_held_back_is_sent_away(tmp_path: Path) -> None:
    options = RoomOptions(pause_bytes=2_000, refuse_bytes=6_000)
    async with House(tmp_path, options) as house:
        room = await house.room()
        phone, laptop = Device().join(room), Device("bob").join(room)
        await until(lambda: phone.unsaved == 0)
        while phone.closed is None:
            phone.say("x" * 1_000)
        assert phone.closed[0] == close_codes.STORE_UNAVAILABLE.code
        laptop.say("unharmed")
        await until(lambda: room.log.tail.durable)
        assert "unharmed" in laptop.texts
