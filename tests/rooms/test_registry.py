"""Opening, unloading, restarting, deleting; bases and what is left of a broken one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.rooms.devices import Device, assert_converged
from tests.rooms.houses import TRIP, House, until

from threadline.document.session_document import SessionDocument
from threadline.errors import SessionDeleted, SessionError, SessionNotFound, StoreError
from threadline.ids import SessionId
from threadline.protocol import close_codes
from threadline_server.backplane.base import DocumentName, Stored
from threadline_server.rooms.compaction import is_worth_it_at_unload
from threadline_server.rooms.options import RoomOptions


@pytest.mark.asyncio
async def test_a_room_is_loaded_once_however_many_ask(house: House) -> None:
    await house.create()
    rooms = await asyncio.gather(*[house.rooms.open(TRIP) for _ in range(50)])
    assert len({id(room) for room in rooms}) == 1
    assert house.rooms.host.counts.loads == 1


@pytest.mark.asyncio
async def test_one_who_gives_up_waiting_does_not_stop_the_load(house: House) -> None:
    await house.create()
    waiting = asyncio.ensure_future(house.rooms.open(TRIP))
    await asyncio.sleep(0)
    waiting.cancel()
    room = await house.rooms.open(TRIP)
    assert room.closed is None
    assert house.rooms.host.counts.loads == 1


@pytest.mark.asyncio
async def test_there_is_no_room_without_a_session(house: House) -> None:
    with pytest.raises(SessionNotFound):
        await house.rooms.open(DocumentName("nowhere"))
    assert len(house.rooms) == 0


@pytest.mark.asyncio
async def test_an_idle_room_unloads_and_comes_back_the_same(house: House) -> None:
    room = await house.room()
    phone = Device().join(room)
    for number in range(60):
        phone.say(f"message {number}")
    await until(lambda: phone.unsaved == 0)
    house.now_s += 1000
    await house.rooms.sweep()
    assert room.closed is None, "somebody is here"
    phone.leave()
    await house.rooms.sweep()
    assert room.closed is None, "the grace period runs"
    await house.unload(room)
    assert house.rooms.get(TRIP) is None
    again = await house.room()
    assert again is not room
    assert SessionDocument(again.document()).digest() == phone.session.digest()
    phone.write_message("offline")
    phone.join(again)
    await until(lambda: phone.unsaved == 0)
    assert [m.seq.number for m in phone.session.messages if m.seq] == list(range(1, 62))


@pytest.mark.asyncio
async def test_a_restart_keeps_what_was_saved(house: House) -> None:
    phone = Device().join(await house.room())
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    await house.reopen()
    assert phone.closed is not None and phone.closed[0] == close_codes.RESTARTING.code
    laptop = Device().join(await house.room())
    assert laptop.texts == ["hello"]


@pytest.mark.asyncio
async def test_a_stopping_node_logs_what_it_had_drafted(house: House) -> None:
    phone = Device().join(await house.room())
    phone.say("in the last moment")
    await house.reopen()
    laptop = Device().join(await house.room())
    assert laptop.texts == ["in the last moment"]


@pytest.mark.asyncio
async def test_a_long_tail_becomes_a_base(tmp_path: Path) -> None:
    async with House(tmp_path, RoomOptions(compact_turns=20)) as house:
        room = await house.room()
        phone = Device().join(room)
        for number in range(50):
            phone.say(f"message {number}")
            await until(lambda: phone.unsaved == 0)
        await until(lambda: house.rooms.host.counts.compactions >= 2)
        stored = await house.backplane.load(TRIP)
        assert stored.base is not None and stored.index is not None
        assert len(stored.tail) < 30
        await house.reopen()
        again = await house.room()
        assert SessionDocument(again.document()).digest() == phone.session.digest()
        phone.join(again)
        phone.say("and on")
        await until(lambda: phone.unsaved == 0)
        assert [m.seq.number for m in phone.session.messages if m.seq] == list(range(1, 52))


@pytest.mark.asyncio
async def test_an_unloading_room_leaves_a_base_behind(tmp_path: Path) -> None:
    async with House(tmp_path, RoomOptions(compact_on_unload_turns=5)) as house:
        room = await house.room()
        phone = Device().join(room)
        for number in range(10):
            phone.say(f"message {number}")
            await until(lambda: phone.unsaved == 0)
        phone.leave()
        await house.unload(room)
        await until(lambda: house.rooms.host.counts.compactions == 1)
        stored = await house.backplane.load(TRIP)
        assert stored.base is not None and stored.tail == ()


@pytest.mark.asyncio
async def test_a_large_document_gets_a_base_when_its_tail_weighs_as_much(tmp_path: Path) -> None:
    async with House(tmp_path, RoomOptions(compact_turns=2, compact_bytes=1_000)) as house:
        room = await house.room()
        phone = Device().join(room)
        counts, log = house.rooms.host.counts, room.log
        phone.say("x" * 100_000)
        await until(lambda: counts.compactions == 1 and phone.unsaved == 0)
        while log.tail_bytes < 50_000:
            phone.say("y" * 10_000)
            await until(lambda: phone.unsaved == 0)
            assert not log.is_long
        phone.say("z" * 60_000)
        await until(lambda: counts.compactions == 2)


@pytest.mark.parametrize(
    ("base_bytes", "tail_turns", "tail_bytes", "worth"),
    [
        (0, 49, 1_000_000, False),
        (0, 50, 2_000, True),
        (100_000, 50, 2_000, True),
        (1_000_000, 50, 2_000, False),
        (1_000_000, 50, 300_000, True),
        (1_000_000, 500, 20_000, True),
    ],
)
def test_a_tail_beside_a_large_base_may_stay(
    base_bytes: int, tail_turns: int, tail_bytes: int, worth: bool
) -> None:
    assert is_worth_it_at_unload(RoomOptions(), base_bytes, tail_turns, tail_bytes) is worth


@pytest.mark.asyncio
@pytest.mark.parametrize("index", [b"", b"\x7f", b"\x01\x05garbage"])
async def test_a_missing_or_unreadable_index_is_built_anew(house: House, index: bytes) -> None:
    room = await house.room()
    phone = Device().join(room)
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    phone.leave()
    base = room.log.replica.encode()
    await house.unload(room)
    await house.backplane.compact(TRIP, "lineage-trip", base, index, room.position)
    again = await house.room()
    laptop = Device().join(again)
    laptop.say("world")
    await until(lambda: laptop.unsaved == 0)
    assert laptop.texts == ["hello", "world"]
    phone.write_message("under the old client id")
    phone.join(again)
    await until(lambda: phone.unsaved == 0)
    assert_converged(phone, laptop)


@pytest.mark.asyncio
async def test_deleting_a_session_ends_it_for_everyone(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device().join(room)
    phone.say("hello")
    await house.backplane.delete_session(SessionId("trip"))
    await until(lambda: phone.closed is not None and laptop.closed is not None)
    assert phone.closed is not None and phone.closed[0] == close_codes.SESSION_DELETED.code
    with pytest.raises(SessionDeleted):
        await house.rooms.open(TRIP)


@pytest.mark.asyncio
async def test_a_session_that_is_damaged_is_set_aside_at_once(house: House) -> None:
    await house.create()
    await house.room("other")
    phone = Device().join(await house.room())
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    phone.leave()
    await house.backplane.compact(TRIP, "lineage-trip", b"\x01\xff\xff", b"", (await house.room()).position)
    await house.unload(await house.room())
    for _ in range(2):
        with pytest.raises(SessionError) as refused:
            await house.rooms.open(TRIP)
        assert refused.value.code == "quarantined"
    assert (await house.room("other")).closed is None
    house.now_s += house.options.quarantine_s + 1
    with pytest.raises(SessionError):
        await house.rooms.open(TRIP)
    assert len(house.reports) == 2 and all("cannot be read" in report for report in house.reports)
    house.reports.clear()


@pytest.mark.asyncio
async def test_a_session_that_fails_again_and_again_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(document: DocumentName) -> Stored:
        raise StoreError("the disk is slow to answer")

    async with House(tmp_path, RoomOptions(load_attempts=2)) as house:
        await house.create()
        with monkeypatch.context() as patch:
            patch.setattr(house.backplane, "load", fail)
            for _ in range(2):
                with pytest.raises(StoreError):
                    await house.rooms.open(TRIP)
            with pytest.raises(SessionError) as refused:
                await house.rooms.open(TRIP)
        assert refused.value.code == "quarantined"
        house.now_s += house.options.quarantine_s + 1
        assert (await house.rooms.open(TRIP)).closed is None


class Unwritable(Device):
    """A member that breaks its promise: `write` raises once `broken`."""

    broken = False

    def write(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("the handler is closed")
        super().write(data)


@pytest.mark.asyncio
async def test_a_room_that_fails_in_its_round_is_loaded_again_and_the_others_stay(house: House) -> None:
    room, other = await house.room(), await house.room("other")
    phone, laptop = Unwritable(), Device()
    phone.join(room)
    laptop.join(other)
    room.receive_update(phone, bytes.fromhex("00012a010264"), whole=False)  # deletes what nobody knows
    seat = room.seats[phone]
    seat.expected = ()  # as if it had answered, and still lacked it
    room._gapped.add(seat)
    phone.broken = True
    house.now_s += 2
    await house.rooms.sweep()
    assert room.closed is close_codes.ROOM_RELOADED
    assert other.closed is None
    assert house.reports.pop().startswith("A room failed in its round")


@pytest.mark.asyncio
async def test_companions_have_rules_of_their_own(house: House) -> None:
    await house.create()
    companion = await house.rooms.open(DocumentName("trip~ada"))
    phone = Device().join(companion)
    assert companion.position == 0
    await until(lambda: companion.log.tail.durable)
    assert phone.session.meta.schema == 0


@pytest.mark.asyncio
async def test_stats_say_how_the_rooms_are(house: House) -> None:
    phone = Device().join(await house.room())
    phone.say("hello")
    await until(lambda: phone.unsaved == 0)
    stats = house.rooms.stats()
    assert stats["open"] == 1 and stats["members"] == 1 and stats["not_durable_bytes"] == 0
    assert stats["updates_total"] == 1 and stats["turns_total"] >= 1
