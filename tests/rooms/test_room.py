"""One room: joining, writing, forwarding, being told that it is saved."""

from __future__ import annotations

import pytest
from tests.rooms.devices import SAVED, STEP1, STEP2, UPDATE, Device, PlainEncoder, assert_converged
from tests.rooms.houses import House, until

from threadline.document.session_document import SessionDocument
from threadline_server.rooms.state_vector import decode_state_vector


@pytest.mark.asyncio
async def test_what_one_device_says_reaches_the_other(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device(device="laptop").join(room)
    phone.say("Find hotels in Berlin")
    await until(lambda: laptop.texts == ["Find hotels in Berlin"])
    laptop.say("Under $150")
    await until(lambda: phone.unsaved == 0 and laptop.unsaved == 0)
    assert phone.texts == ["Find hotels in Berlin", "Under $150"]
    assert_converged(phone, laptop)


@pytest.mark.asyncio
async def test_a_message_is_stamped_in_the_turn_that_creates_it(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    for text in ("one", "two", "three"):
        phone.say(text)
    await until(lambda: phone.unsaved == 0)
    messages = list(laptop.session.messages)
    assert [(m.text, m.seq and m.seq.number) for m in messages] == [("one", 1), ("two", 2), ("three", 3)]
    assert all(message.received_at for message in messages)
    assert SessionDocument(room.document()).digest() == laptop.session.digest()
    assert_converged(phone, laptop)


@pytest.mark.asyncio
async def test_the_first_turn_of_a_session_begins_with_its_schema(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    assert room.position == 0
    phone.say("hello")
    await until(lambda: phone.session.meta.schema == 1)
    assert room.position == 1


@pytest.mark.asyncio
async def test_the_step_1_of_a_provider_is_answered_in_its_order(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    kinds = [kind for write in phone.writes for kind, _ in write]
    assert kinds[:2] == [STEP1, STEP2]
    await until(lambda: phone.unsaved == 0)


@pytest.mark.asyncio
async def test_a_y_websocket_is_greeted_once(house: House) -> None:
    room = await house.room()
    phone = Device(encoder=PlainEncoder("y", greets=True)).join(room)
    phone.sync()
    assert len(phone.frames(STEP1)) == 1
    assert len(phone.frames(STEP2)) == 2


@pytest.mark.asyncio
async def test_one_turn_is_one_write_and_one_framing_per_dialect(house: House) -> None:
    room = await house.room()
    encoder = PlainEncoder()
    writer = Device().join(room)
    readers = [Device("bob", encoder=encoder).join(room) for _ in range(10)]
    writer.say("first")
    await until(lambda: writer.unsaved == 0)
    before = [len(reader.writes) for reader in readers]
    framed = encoder.framed
    for text in ("a", "b"):
        writer.say(text)
    await until(lambda: writer.unsaved == 0)
    assert [len(reader.writes) - count for reader, count in zip(readers, before, strict=True)] == [1] * 10
    assert encoder.framed - framed == 4  # two updates, two stamps
    assert all(reader.texts == ["first", "a", "b"] for reader in readers)


@pytest.mark.asyncio
async def test_the_sender_is_not_sent_its_own(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    phone.say("first")
    await until(lambda: phone.unsaved == 0)
    before = len(phone.frames(UPDATE))
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    assert len(phone.frames(UPDATE)) == before + 1  # the stamp


@pytest.mark.asyncio
async def test_nothing_is_saved_before_it_is_durable(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    await until(lambda: phone.unsaved == 0)
    phone.say("hello")
    assert phone.unsaved == 1
    assert not room.log.tail.durable
    await until(lambda: phone.unsaved == 0)
    assert room.log.tail.durable


@pytest.mark.asyncio
async def test_an_update_that_is_known_is_saved_once(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    await until(lambda: phone.unsaved == 0)
    phone.write_message("hello")
    update = phone.flush()
    phone.send(update)
    phone.send(update)
    await until(lambda: phone.unsaved == 0)
    saved = phone.saved
    phone.send(update)
    assert phone.saved == saved + 1
    assert phone.frames(SAVED)


@pytest.mark.asyncio
async def test_nobody_awaits_what_a_dialect_without_acknowledgements_sends(house: House) -> None:
    room = await house.room()
    encoder = PlainEncoder("y", greets=True)
    encoder.acknowledges = False
    phone, laptop = Device(encoder=encoder).join(room), Device().join(room)
    phone.say("hello")
    outgoing = room.log.next_append()
    assert outgoing is not None
    assert not outgoing.awaited
    house.backplane.append([outgoing])
    await until(lambda: laptop.texts == ["hello"] and room.log.tail.durable)
    assert phone.saved == 0
    laptop.say("and you?")
    outgoing = room.log.next_append()
    assert outgoing is not None
    assert outgoing.awaited
    house.backplane.append([outgoing])
    await until(lambda: laptop.unsaved == 0)


@pytest.mark.asyncio
async def test_deletions_reach_a_device_with_an_equal_state_vector(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    message = phone.say("hello")
    await until(lambda: laptop.texts == ["hello"])
    laptop.leave()
    text = phone.session.messages.text(message)
    del text[0:4]
    phone.flush()
    await until(lambda: phone.unsaved == 0)
    assert decode_state_vector(phone.doc.get_state()) == decode_state_vector(laptop.doc.get_state())
    laptop.join(room)
    assert laptop.texts == ["o"]


@pytest.mark.asyncio
async def test_a_device_that_was_away_gets_what_it_lacks_and_brings_what_it_made(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    phone.say("before")
    await until(lambda: laptop.texts == ["before"])
    laptop.leave()
    laptop.write_message("offline")
    phone.say("meanwhile")
    await until(lambda: phone.unsaved == 0)
    laptop.join(room)
    await until(lambda: laptop.unsaved == 0)
    assert sorted(laptop.texts) == sorted(phone.texts) == ["before", "meanwhile", "offline"]
    assert_converged(phone, laptop)
