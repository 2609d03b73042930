"""What is large is judged and integrated in line; the room keeps its order, and other rooms do not wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pycrdt import Map
from tests.rooms.devices import Device, assert_converged
from tests.rooms.forged import section, update, value
from tests.rooms.houses import TRIP, House, until

from threadline.actors import Actor, Role
from threadline.ids import SessionId
from threadline.protocol import close_codes
from threadline_server.rooms.integration import Integration
from threadline_server.rooms.loading import load
from threadline_server.rooms.long_hearing import LongHearing
from threadline_server.rooms.replica import MOST_AT_ONCE
from threadline_server.rooms.room import Room
from threadline_server.rooms.turns import FOR_EVER, Turns
from threadline_server.rooms.update_writer import PIECE_STRUCTS

pytestmark = pytest.mark.asyncio

MANY = 2_000
HERS = 77


@pytest.fixture(autouse=True)
def a_little_at_a_time(house: House) -> None:
    """Nothing is finished at once, and slices are as short as they can be."""
    for rooms in (house.rooms, house.other):
        turns = rooms.host.turns
        turns.at_once_ns = turns.slice_ns = turns.long_slice_ns = -1


def keys(client: int, *more: bytes) -> bytes:
    values = [value("v", parent="state", key=f"/{client}/{at}") for at in range(MANY)]
    return update(section(client, 0, *values, *more))


FORBIDDEN = value("v", parent="runs", key="mine")


def write(device: Device, data: bytes) -> None:
    """Into its own document, and to the room."""
    device.doc.apply_update(data)
    device._known = device.doc.get_state()
    device.send(data)


def known(device: Device) -> int:
    return len(device.doc.get("state", type=Map))


def level(room: Room) -> bool:
    """Gate and replica hold the same."""
    return room.log.gate.clocks() == room.log.replica.clocks()


async def heard_here(room: Room) -> LongHearing:
    await until(lambda: isinstance(room.interlude, LongHearing))
    assert isinstance(room.interlude, LongHearing)
    return room.interlude


@contextmanager
def held_up(turns: Turns) -> Iterator[None]:
    """What stands in line goes on afterwards, however fast the machine is."""
    held = list(turns._line)
    turns._line.clear()
    yield
    for waiter in held:
        turns.wait(waiter)


async def half_integrated(house: House) -> tuple[Room, Device]:
    """A room whose replica has a large turn of eve's in part."""
    room = await house.room()
    eve = Device("eve").join(room)
    await until(lambda: eve.unsaved == 0)
    write(eve, keys(HERS))
    await until(lambda: room.log.integration is not None)
    return room, eve


async def test_a_large_update_reaches_everyone_and_is_stored(house: House) -> None:
    room = await house.room()
    eve, bob = Device("eve").join(room), Device("bob").join(room)
    write(eve, keys(HERS))
    await heard_here(room)
    await until(lambda: eve.unsaved == 0 and known(bob) == MANY)
    assert room.host.counts.long_hearings > 0
    assert_converged(eve, bob)
    await until(lambda: room.log.settled and room.interlude is None)
    assert level(room)
    eve.leave()
    bob.leave()
    await house.unload(room)
    late = Device("late").join(await house.rooms.open(TRIP))
    assert_converged(late, bob)


async def test_a_large_tail_is_loaded_in_line(house: House) -> None:
    room = await house.room()
    eve = Device("eve").join(room)
    await until(lambda: eve.unsaved == 0)
    write(eve, keys(HERS))
    write(eve, update(section(HERS + 1, 0, value("w", origin=(HERS, 1))), deletes={HERS: [(1, 1)]}))
    eve.say("behind it")
    await until(lambda: eve.unsaved == 0 and room.log.settled)
    house.rooms.host.turns.at_once_ns = FOR_EVER
    turns = house.other.host.turns
    stood_before = turns.deferred_total
    loaded = await house.other_room()
    assert turns.deferred_total - stood_before > 2 * MANY // PIECE_STRUCTS
    at_once = await load(room.host, TRIP)
    assert loaded.log.gate.dump() == at_once.gate.dump()
    assert level(loaded)
    assert_converged(eve, Device("late").join(loaded))


async def test_a_round_over_the_rooms_goes_on_in_line(house: House) -> None:
    rooms = [await house.room(f"session{number}") for number in range(5)]
    turns = house.rooms.host.turns
    stood_before = turns.deferred_total
    house.now_s += house.options.grace_s + 1
    await house.rooms.sweep()
    assert turns.deferred_total - stood_before == len(rooms)
    assert all(room.closed is not None for room in rooms)


async def test_others_in_the_room_wait_in_order_and_other_rooms_do_not(house: House) -> None:
    room = await house.room()
    eve, bob = Device("eve").join(room), Device("bob").join(room)
    elsewhere = await house.room("elsewhere")
    ada, cem = Device("ada").join(elsewhere), Device("cem").join(elsewhere)
    await until(lambda: eve.unsaved == bob.unsaved == ada.unsaved == cem.unsaved == 0)
    write(eve, keys(HERS))
    await heard_here(room)
    with held_up(house.rooms.host.turns):
        for number in range(5):
            bob.say(f"message {number}")
        eve.say("mine, after all")
        ada.say("here nobody waits")
        await until(lambda: bool(cem.texts))
        assert isinstance(room.interlude, LongHearing) and bob.unsaved == 5
    await until(lambda: bob.unsaved == eve.unsaved == 0 and room.log.settled)
    assert bob.texts == [*(f"message {number}" for number in range(5)), "mine, after all"]
    assert_converged(eve, bob)


async def test_several_large_updates_are_heard_one_after_the_other(house: House) -> None:
    room = await house.room()
    devices = [Device(f"user{number}").join(room) for number in range(4)]
    for number, device in enumerate(devices):
        write(device, keys(HERS + number))
        device.say("behind it")
    await until(lambda: all(device.unsaved == 0 for device in devices) and room.log.settled)
    assert_converged(*devices)
    assert known(devices[0]) == 4 * MANY and len(devices[0].texts) == 4
    await until(lambda: room.log.tail.size == 0)


async def test_who_leaves_meanwhile_is_told_nothing(house: House) -> None:
    """It may be back by then, and would count what was meant for it before."""
    room = await house.room()
    eve, phone = Device("eve").join(room), Device("ada").join(room)
    reader = Device("vic", role=Role.VIEWER).join(room)
    phone.say("known")
    await until(lambda: eve.unsaved == phone.unsaved == reader.unsaved == 0 and room.log.settled)
    write(eve, keys(HERS))
    await heard_here(room)
    phone.send(phone.doc.get_update())
    reader.send(keys(HERS + 1))
    for device in (eve, phone, reader):
        device.leave()
        device.writes.clear()
    await until(lambda: room.interlude is None and room.log.settled)
    assert [device.writes for device in (eve, phone, reader)] == [[], [], []]
    assert room.host.counts.known == room.host.counts.refused == 1


async def test_a_refusal_at_the_end_leaves_nothing_and_ends_its_sender_alone(house: House) -> None:
    room = await house.room()
    eve, bob = Device("eve").join(room), Device("bob").join(room)
    eve.say("known by now")
    await until(lambda: eve.unsaved == bob.unsaved == 0)
    index = room.log.gate.dump()
    eve.send(keys(HERS, FORBIDDEN))
    await until(lambda: eve.closed is not None)
    assert eve.closed is not None and eve.closed[0] == close_codes.REPLICA_REJECTED.code
    assert room.log.gate.dump() == index and known(bob) == 0
    bob.say("undisturbed")
    await until(lambda: bob.unsaved == 0 and room.log.tail.size == 0)


async def test_who_leaves_meanwhile_loses_nothing(house: House) -> None:
    room = await house.room()
    eve, bob = Device("eve").join(room), Device("bob").join(room)
    await until(lambda: eve.unsaved == bob.unsaved == 0)
    write(eve, keys(HERS))
    await heard_here(room)
    eve.leave()
    await until(lambda: known(bob) == MANY)
    assert eve.unsaved == 1, "nobody is told"


async def test_a_room_that_closes_meanwhile_lets_go(house: House) -> None:
    room = await house.room()
    eve = Device("eve").join(room)
    await until(lambda: eve.unsaved == 0)
    write(eve, keys(HERS))
    await heard_here(room)
    room.close(close_codes.ROOM_RELOADED)
    turns = house.rooms.host.turns
    await until(lambda: turns.stats()["turns_waiting"] == 0)
    again = Device("eve", client_id=eve.doc.client_id)
    again.doc = eve.doc
    again.join(await house.rooms.open(TRIP))
    await until(lambda: again.unsaved == 0)
    assert (await house.rooms.open(TRIP)).log.gate.next_clock(HERS) == MANY


async def test_turns_of_other_nodes_reach_the_gate_afterwards(house: House) -> None:
    here, there = await house.room(), await house.other_room()
    eve, bob = Device("eve").join(here), Device("bob").join(there)
    await until(lambda: eve.unsaved == bob.unsaved == 0)
    write(eve, keys(HERS))
    await heard_here(here)
    with held_up(house.rooms.host.turns):
        bob.say("from there")
        await until(lambda: "from there" in eve.texts)
        assert isinstance(here.interlude, LongHearing), "members need not wait for the gate"
        assert here.log.gate.next_clock(bob.doc.client_id) == 0
    await until(lambda: eve.unsaved == 0 and known(bob) == MANY)
    assert here.log.gate.next_clock(bob.doc.client_id) > 0
    await until(lambda: here.log.settled)
    assert level(here)
    assert_converged(eve, bob)


async def test_a_recovery_takes_over_what_is_heard(house: House) -> None:
    """The log refuses what came before it: the gate that had half of it is not the gate any more."""
    here, there = await house.room(), await house.other_room()
    eve, phone = Device("eve").join(here), Device().join(here)
    await until(lambda: eve.unsaved == phone.unsaved == 0)
    phone.say("on the move")
    phone.leave()
    phone.join(there)
    await until(lambda: there.interlude is not None or phone.unsaved == 0)
    eve.leave()
    eve.join(there)
    write(eve, keys(HERS))
    await until(lambda: phone.unsaved == 0 and eve.unsaved == 0)
    await until(lambda: there.log.settled)
    assert level(there)
    assert known(eve) == MANY
    assert_converged(phone, eve)


async def test_who_joins_while_a_turn_is_integrated_gets_all_of_it(house: House) -> None:
    room, eve = await half_integrated(house)
    assert not room.log.settled and not room.is_idle(house.now_s + 1e9)
    late = Device("late").join(room)
    assert known(late) < MANY
    await until(lambda: known(late) == MANY)
    assert_converged(eve, late)


async def test_turns_behind_a_large_one_are_applied_in_order(house: House) -> None:
    here, there = await house.room(), await house.other_room()
    eve, bob = Device("eve").join(here), Device("bob").join(there)
    await until(lambda: eve.unsaved == bob.unsaved == 0)
    write(eve, keys(HERS))
    await until(lambda: here.log.integration is not None)
    eve.say("behind it")
    bob.say("from there")
    await until(lambda: eve.unsaved == bob.unsaved == 0 and level(here) and level(there))
    assert here.log.settled and there.log.settled
    assert_converged(eve, bob)


async def test_a_turn_of_many_small_updates_is_integrated_in_parts_on_every_node(house: House) -> None:
    here, there = await house.room(), await house.other_room()
    eve, bob = Device("eve").join(here), Device("bob").join(there)
    await until(lambda: eve.unsaved == bob.unsaved == 0)
    in_parts: list[Room] = []
    many = 3 * MOST_AT_ONCE + 1
    house.rooms.host.turns.at_once_ns = FOR_EVER
    for clock in range(many):
        write(eve, update(section(HERS, clock, value("v", parent="state", key=f"/{clock}"))))
    house.rooms.host.turns.at_once_ns = -1

    def noted() -> bool:
        in_parts.extend(room for room in (here, there) if room.log.integration is not None)
        return eve.unsaved == 0 and known(bob) == many and level(here) and level(there)

    await until(noted)
    assert {id(room) for room in in_parts} == {id(here), id(there)}
    assert_converged(eve, bob)


async def test_a_replica_with_a_fence_begins_with_all_of_it(house: House) -> None:
    await half_integrated(house)
    lease = await house.backplane.acquire_lease(SessionId("trip"), "worker", 10_000)
    assert lease is not None
    agent = Actor("agent:echo", Role.AGENT)
    async with house.rooms.replica(TRIP, agent, client_id=5, fence=lease.fence) as replica:
        assert len(replica.doc.get("state", type=Map)) == MANY


def one_part(integration: Integration, until_ns: int) -> bool:
    integration._log.replica.integrate_some(integration._next())
    return False


async def test_a_large_turn_that_starts_over_is_not_applied_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was cut past a room that had a turn in part."""
    room = await house.room()
    eve = Device("eve").join(room)
    await until(lambda: eve.unsaved == 0)
    ahead = await house.other_room()
    monkeypatch.setattr(Integration, "take_turn", one_part)
    write(eve, keys(HERS))
    await until(lambda: room.log.integration is not None and ahead.position == 1)
    base = ahead.log.replica.encode()
    await house.backplane.compact(TRIP, ahead.lineage, base, b"", ahead.position)
    assert room.log.replica.clocks().get(HERS, 0) < MANY
    room._start_over(await load(house.rooms.host, TRIP))
    assert room.log.integration is None and room.log.settled
    assert room.log.replica.clocks()[HERS] == room.log.gate.next_clock(HERS) == MANY
