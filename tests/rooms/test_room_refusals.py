"""What is malformed, forbidden or gapped: its sender is told, nobody else notices."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Map
from tests.rooms.devices import REFUSED, SAVED, STEP1, UPDATE, Device
from tests.rooms.houses import House, until

from threadline.actors import Role
from threadline.ids import SessionId
from threadline.protocol import close_codes
from threadline_server.rooms.state_vector import decode_state_vector


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "update",
    [
        "8080808001",
        "01012a0600f9ffffff0f00",
        "00012a010264ff",
        "010109ffffffffffffffff7f040101740568656c6c6f00",
        "",
        "ff",
    ],
)
async def test_malformed_bytes_end_their_sender(house: House, update: str) -> None:
    room = await house.room()
    eve, ada = Device("eve").join(room), Device("ada").join(room)
    eve.send(bytes.fromhex(update))
    assert eve.closed is not None and eve.closed[0] == close_codes.MALFORMED.code
    assert not eve.frames(REFUSED)
    ada.say("still here")
    await until(lambda: ada.unsaved == 0)
    assert room.position >= 1


@pytest.mark.asyncio
@pytest.mark.parametrize("vector", ["8080808002", "", "0101", "02010101", "010180", "0101010101"])
async def test_a_malformed_state_vector_ends_its_sender(house: House, vector: str) -> None:
    room = await house.room()
    eve = Device("eve", role=Role.VIEWER)
    room.join(eve)
    room.receive_step1(eve, bytes.fromhex(vector))
    assert eve.closed is not None and eve.closed[0] == close_codes.MALFORMED.code


@pytest.mark.asyncio
async def test_a_forged_message_ends_the_replica(house: House) -> None:
    room = await house.room()
    eve, ada = Device("eve").join(room), Device("ada").join(room)
    eve.doc.get("messages", type=Map)["ada/1"] = Map({"role": "user"})
    eve.flush()
    assert eve.closed is not None
    code, reason = eve.closed
    assert code == close_codes.REPLICA_REJECTED.code
    assert reason.startswith("replica_rejected: /messages") or "messages" in reason
    assert eve.frames(REFUSED)
    assert "ada/1" not in room.document().get("messages", type=Map)
    assert ada.closed is None


@pytest.mark.asyncio
async def test_a_viewer_reads_but_does_not_write(house: House) -> None:
    room = await house.room()
    ada, viewer = Device("ada").join(room), Device("bob", role=Role.VIEWER).join(room)
    assert viewer.closed is None
    ada.say("hello")
    await until(lambda: viewer.texts == ["hello"])
    viewer.say("me too")
    assert viewer.frames(REFUSED)
    assert viewer.closed is None
    ada.say("again")
    await until(lambda: "again" in viewer.texts)
    assert ada.texts == ["hello", "again"]


def three_updates(device: Device) -> list[bytes]:
    """Updates that build on each other, not sent."""
    updates = []
    for number in range(3):
        known = device.doc.get_state()
        device.write_message(f"message {number}")
        updates.append(device.doc.get_update(known))
    return updates


@pytest.mark.asyncio
async def test_a_gap_is_asked_for_once_and_settled_by_the_answer(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    await until(lambda: phone.unsaved == 0)
    asked = len(phone.frames(STEP1))
    saved = phone.saved
    first, second, third = three_updates(phone)
    phone.replies = False
    phone.send(second)
    phone.send(third)
    assert len(phone.frames(STEP1)) == asked + 1
    assert phone.saved == saved
    assert laptop.texts == []
    phone.replies = True
    phone._receive(STEP1, phone.frames(STEP1)[-1])
    await until(lambda: phone.unsaved == 0)
    assert phone.saved == saved + 2  # one for each update, none for the answer
    assert laptop.texts == ["message 0", "message 1", "message 2"]
    assert first


@pytest.mark.asyncio
async def test_a_gapped_device_is_asked_again_later(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    await until(lambda: phone.unsaved == 0)
    _, second, _ = three_updates(phone)
    phone.replies = False
    phone.send(second)
    asked = len(phone.frames(STEP1))
    phone.replies = True
    phone.send(b"\x00\x00", whole=True, counted=False)  # an answer that did not help
    house.now_s += 2
    await house.rooms.sweep()
    assert len(phone.frames(STEP1)) >= asked
    phone.sync()
    await until(lambda: len(phone.texts) == 3 and phone.unsaved == 0)
    assert len(room.document().get("messages", type=Map)) == 3


@pytest.mark.asyncio
async def test_updates_in_any_order_arrive_in_the_right_one(house: House) -> None:
    """Fed to pycrdt in the order 2, 3, 1 these lose text."""
    room = await house.room()
    updates = [
        bytes.fromhex(text)
        for text in (
            "01010105c4010301040568656c6c6f00",
            "0101010a0801016101760101717c3f80000000",
            "01010100040101740568656c6c6f00",
        )
    ]
    phone, laptop = Device(client_id=2).join(room), Device(client_id=3).join(room)
    phone.replies = False
    for update in updates:
        phone.send(update)
    for update in updates:
        phone.send(update)
    for update in updates:
        phone.send(update)
    await until(lambda: room.log.tail.durable and len(laptop.frames(UPDATE)) >= 3)
    expected: Doc[Map[object]] = Doc()
    for update in (updates[2], updates[0], updates[1]):
        expected.apply_update(update)
    assert str(laptop.doc.get("t", type=Map)) is not None
    assert decode_state_vector(laptop.doc.get_state()) == room.log.replica.clocks()


@pytest.mark.asyncio
async def test_a_room_keeps_nothing_of_a_turn_that_its_log_will_never_have(house: House) -> None:
    """The cycle collector does not see what is on its way: each would keep a deleted document for ever."""
    room = await house.room()
    phone = Device().join(room)
    await until(lambda: phone.unsaved == 0 and room.log.tail.durable)
    house.backplane._heads.mark_deleted(SessionId("trip"))
    phone.say("too late")
    await until(lambda: room.closed is not None)
    assert phone.closed is not None and phone.closed[0] == close_codes.SESSION_DELETED.code
    assert room.log.tail.durable and room.log.tail.settled and room.log.tail.in_flight is None
    assert room.log.tail.size == 0


@pytest.mark.asyncio
async def test_an_empty_step_2_is_saved_at_once_when_all_is_durable(house: House) -> None:
    room = await house.room()
    await until(lambda: room.log.tail.durable)
    phone = Device()
    room.join(phone)
    phone.room = room
    phone.sync()
    assert phone.frames(SAVED) == [b""]
