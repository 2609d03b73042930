"""Who is here: relayed once, believed as far as it can be, gone when its device is."""

from __future__ import annotations

import pytest
from tests.rooms.devices import AWARENESS, Device
from tests.rooms.houses import House, until

from threadline.actors import Actor, Role
from threadline.protocol import close_codes
from threadline.protocol.awareness import AwarenessEntry, decode_awareness, encode_awareness
from threadline_server.rooms.awareness import BURST_S, Awareness, identified
from threadline_server.rooms.contributor import Witness
from threadline_server.rooms.options import RoomOptions

OPTIONS = RoomOptions()


class Holder(Witness):
    """Somebody who announces."""

    def __init__(self, user: str = "ada") -> None:
        self._actor = Actor(user, Role.EDITOR, "phone", user.title())

    @property
    def actor(self) -> Actor:
        return self._actor


def entries(*of: tuple[int, int, dict[str, object] | None]) -> bytes:
    return encode_awareness([AwarenessEntry(*entry) for entry in of])


def told(data: bytes | None) -> list[tuple[int, int, bool]]:
    """(client, clock, here) of what members are told."""
    if data is None:
        return []
    return [(entry.client, entry.clock, entry.state is not None) for entry in decode_awareness(data)]


def test_only_an_advanced_clock_is_relayed() -> None:
    awareness, ada, bob = Awareness(OPTIONS), Holder("ada"), Holder("bob")
    awareness.receive(ada, entries((1, 1, {})), 0)
    assert told(awareness.take_changed()) == [(1, 1, True)]
    awareness.receive(bob, entries((1, 1, {})), 0)  # an echo
    awareness.receive(ada, entries((1, 1, {"x": 1})), 0)
    assert awareness.take_changed() is None
    awareness.receive(ada, entries((1, 2, {"x": 1})), 0)
    assert told(awareness.take_changed()) == [(1, 2, True)]


def test_changes_of_one_turn_go_out_together() -> None:
    awareness = Awareness(OPTIONS)
    for client in (1, 2, 3):
        awareness.receive(Holder(f"user{client}"), entries((client, 1, {})), 0)
    assert len(told(awareness.take_changed())) == 3


def test_a_device_does_not_choose_who_it_is() -> None:
    awareness = Awareness(OPTIONS)
    awareness.receive(Holder("eve"), entries((1, 1, {"user": "ada", "role": "owner", "typing": True})), 0)
    (entry,) = decode_awareness(awareness.take_changed() or b"")
    assert entry.state == {
        "user": "eve",
        "role": "editor",
        "device": "phone",
        "name": "Eve",
        "typing": True,
    }


def test_an_editors_user_object_keeps_its_colour() -> None:
    actor = Actor("eve", Role.EDITOR)
    state = identified({"user": {"name": "Ada", "id": "ada", "color": "#f00"}}, actor)
    assert state["user"] == {"name": "eve", "id": "eve", "color": "#f00"}


@pytest.mark.parametrize("state", [{"x": 1}, None])
def test_another_users_client_id_is_left_alone(state: dict[str, object] | None) -> None:
    awareness, ada, eve = Awareness(OPTIONS), Holder("ada"), Holder("eve")
    awareness.receive(ada, entries((1, 1, {})), 0)
    awareness.take_changed()
    awareness.receive(eve, entries((1, 9, state)), 0)
    assert awareness.take_changed() is None
    awareness.leave(eve)
    assert len(awareness) == 1


def test_another_nodes_client_id_is_left_alone_too() -> None:
    awareness = Awareness(OPTIONS)
    state = identified({}, Actor("ada", Role.EDITOR))
    awareness.receive_from_node(entries((1, 1, state)), 0, OPTIONS.limits)
    awareness.take_changed()
    awareness.receive(Holder("eve"), entries((1, 2, {})), 0)
    assert awareness.take_changed() is None
    awareness.receive(Holder("ada"), entries((1, 2, {})), 0)
    assert told(awareness.take_changed()) == [(1, 2, True)]


def test_a_new_socket_of_the_same_device_takes_over() -> None:
    awareness, old, new = Awareness(OPTIONS), Holder(), Holder()
    awareness.receive(old, entries((1, 4, {})), 0)
    awareness.receive(new, entries((1, 4, {})), 0)
    awareness.leave(old)
    assert len(awareness) == 1


def test_leaving_says_null_under_the_clock_that_peers_know() -> None:
    awareness, ada = Awareness(OPTIONS), Holder()
    awareness.receive(ada, entries((1, 4, {})), 0)
    awareness.take_changed()
    awareness.leave(ada)
    assert told(awareness.take_changed()) == [(1, 4, False)]
    assert awareness.everyone() is None


def test_a_device_that_comes_back_under_an_old_clock_is_told_the_clock() -> None:
    awareness, ada = Awareness(OPTIONS), Holder()
    awareness.receive(ada, entries((1, 4, {})), 0)
    awareness.leave(ada)
    awareness.take_changed()
    back = Holder()
    assert told(awareness.receive(back, entries((1, 4, {})), 0)) == [(1, 4, False)]
    assert awareness.take_changed() is None
    assert awareness.receive(back, entries((1, 5, {})), 0) is None
    assert told(awareness.take_changed()) == [(1, 5, True)]


def test_a_state_that_is_not_renewed_expires() -> None:
    awareness, ada = Awareness(OPTIONS), Holder()
    awareness.receive(ada, entries((1, 1, {})), 0)
    awareness.expire(30)
    assert len(awareness) == 1
    awareness.expire(31)
    assert len(awareness) == 0


def test_one_member_announces_few_client_ids() -> None:
    awareness, eve = Awareness(OPTIONS), Holder("eve")
    for client in range(100):
        awareness.receive(eve, entries((client, 1, {})), 0)
    assert len(awareness) == OPTIONS.max_awareness_per_member


def test_departed_clocks_are_bounded() -> None:
    awareness = Awareness(OPTIONS)
    for client in range(OPTIONS.max_departed * 2):
        holder = Holder()
        awareness.receive(holder, entries((client, 1, {})), 0)
        awareness.leave(holder)
    assert len(awareness._departed) == OPTIONS.max_departed


@pytest.mark.asyncio
async def test_presence_reaches_everyone_and_comes_back_as_a_heartbeat(house: House) -> None:
    room = await house.room()
    phone, laptop = Device("ada").join(room), Device("bob").join(room)
    phone.announce(typing=True)
    await until(lambda: laptop.users_present() == ["ada"])
    assert phone.frames(AWARENESS)
    late = Device("eve").join(room)
    assert late.users_present() == ["ada"]
    phone.leave()
    await until(lambda: laptop.users_present() == [])


@pytest.mark.asyncio
async def test_ten_echoing_clients_cost_one_frame_each(house: House) -> None:
    room = await house.room()
    devices = [Device(f"user{number}").join(room) for number in range(10)]
    devices[0].announce(x=1)
    await until(lambda: len(devices[1].frames(AWARENESS)) == 1)
    body = devices[1].frames(AWARENESS)[0]
    for device in devices[1:]:
        room.receive_awareness(device, body)
    devices[1].announce()
    await until(lambda: len(devices[0].frames(AWARENESS)) == 2)
    assert [len(device.frames(AWARENESS)) for device in devices] == [2] * 10


@pytest.mark.asyncio
async def test_a_query_is_answered_even_when_nobody_is_here(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    room.receive_awareness_query(phone)
    assert phone.frames(AWARENESS) == [b"\x00"]


@pytest.mark.asyncio
async def test_unreadable_presence_ends_the_sender_only(house: House) -> None:
    room = await house.room()
    eve, ada = Device("eve").join(room), Device("ada").join(room)
    room.receive_awareness(eve, b"\xff\xff\xff\xff\xff")
    assert eve.closed is not None and eve.closed[0] == close_codes.MALFORMED.code
    assert ada.closed is None


@pytest.mark.asyncio
async def test_silent_devices_expire_with_the_sweep(house: House) -> None:
    room = await house.room()
    phone, laptop = Device("ada").join(room), Device("bob").join(room)
    phone.announce()
    await until(lambda: laptop.users_present() == ["ada"])
    house.now_s += OPTIONS.awareness_expiry_s + 1
    await house.rooms.sweep()
    await until(lambda: laptop.users_present() == [])


def test_of_a_flood_the_newest_is_relayed_a_little_later() -> None:
    options = RoomOptions(awareness_per_second=10.0)
    awareness, eve, ada = Awareness(options), Holder("eve"), Holder("ada")
    relayed = 0
    for clock in range(1, 201):
        awareness.receive(eve, entries((1, clock, {"at": clock})), 0)
        relayed += awareness.take_changed() is not None
    assert relayed == BURST_S * 10
    assert (awareness.late, awareness.delayed) == (True, 180)
    awareness.receive(ada, entries((2, 1, {})), 0)
    assert told(awareness.take_changed()) == [(2, 1, True)], "others are not held up"
    awareness.release(0)
    assert awareness.take_changed() is None
    awareness.release(0.2)
    changed = awareness.take_changed()
    assert changed is not None
    assert decode_awareness(changed)[0].state == {"at": 200, **identified({}, eve.actor)}
    assert not awareness.late
    everyone = awareness.everyone()
    assert everyone is not None and told(everyone) == [(1, 200, True), (2, 1, True)]


def test_whoever_leaves_in_a_flood_is_gone_at_once() -> None:
    awareness, eve = Awareness(RoomOptions(awareness_per_second=10.0)), Holder("eve")
    for clock in range(1, 101):
        awareness.receive(eve, entries((1, clock, {})), 0)
    awareness.take_changed()
    awareness.leave(eve)
    assert told(awareness.take_changed()) == [(1, 100, False)]
    assert not awareness.late
    awareness.receive(eve, entries((1, 101, {})), 0)
    assert told(awareness.take_changed()) == [(1, 101, True)]


@pytest.mark.asyncio
async def test_what_was_delayed_arrives_in_the_end(house: House) -> None:
    room = await house.room()
    eve, ada = Device("eve").join(room), Device("ada").join(room)
    for number in range(200):
        eve.announce(at=number)
    client = eve.doc.client_id

    def last() -> object:
        entry = ada.present.get(client)
        return None if entry is None or entry.state is None else entry.state["at"]

    await until(lambda: last() is not None)
    assert last() != 199
    house.now_s += 1.0
    await until(lambda: last() == 199)
    assert house.rooms.host.counts.presence_delayed > 0
