"""Two nodes on one log: whoever is late loads its gate again, and loses nobody's honest work."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.rooms.devices import Device, assert_converged
from tests.rooms.houses import TRIP, House, until

from threadline.actors import Actor, Role
from threadline.document.messages import Author
from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId, agent_user
from threadline.protocol import close_codes
from threadline_server.backplane.base import (
    ClockRange,
    DocumentName,
    Entry,
    LoggedTurn,
    NodeId,
    Position,
    Turn,
)
from threadline_server.rooms.arrivals import Arrivals, TooFarAhead
from threadline_server.rooms.forks import is_forked
from threadline_server.rooms.loading import load
from threadline_server.rooms.registry import Rooms
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.room import Room


@pytest_asyncio.fixture
async def other(house: House) -> AsyncIterator[Rooms]:
    """The rooms of a second node."""
    async with Rooms(house.backplane) as rooms:
        yield rooms


@pytest.mark.asyncio
async def test_devices_of_two_nodes_see_each_other(house: House, other: Rooms) -> None:
    phone = Device().join(await house.room())
    laptop = Device("bob").join(await other.open(TRIP))
    phone.say("from here")
    laptop.say("from there")
    await until(
        lambda: phone.unsaved == 0 and laptop.unsaved == 0 and len(phone.texts) == len(laptop.texts) == 2
    )
    assert_converged(phone, laptop)
    phone.say("third")
    await until(lambda: len(laptop.texts) == 3)
    stamps = [message.seq for message in laptop.session.messages]
    assert all(stamps) and stamps[-1] is not None and stamps[-1].number >= 2


@pytest.mark.asyncio
async def test_a_device_that_changed_nodes_is_acknowledged_there(house: House, other: Rooms) -> None:
    """The second node has not heard of an update that the first one logged in the same moment."""
    here, there = await house.room(), await other.open(TRIP)
    phone = Device().join(here)
    bystander = Device("bob").join(there)
    await until(lambda: phone.unsaved == 0 and bystander.unsaved == 0)
    phone.say("on the move")
    phone.leave()
    phone.join(there)
    await until(lambda: phone.unsaved == 0)
    phone.say("and on")
    bystander.say("unharmed")
    await until(lambda: phone.unsaved == 0 and bystander.unsaved == 0)
    assert phone.closed is None and bystander.closed is None
    await until(lambda: len(bystander.texts) == len(phone.texts) == 3)
    assert_converged(phone, bystander)
    assert other.host.counts.recoveries + house.rooms.host.counts.recoveries >= 1


WITHOUT_A_CLIENT = b"\x01\x01\x09"
FROM_NOWHERE = (  # a letter of client 1 that follows on one of client 2, which nobody has
    b"\x01\x01\x01\x00" + b"\x84" + b"\x02\x05" + b"\x01a" + b"\x00"
)


@pytest.mark.asyncio
@pytest.mark.parametrize("update", [WITHOUT_A_CLIENT, FROM_NOWHERE], ids=["malformed", "from nowhere"])
async def test_what_another_node_wrote_is_read_before_members_get_it(house: House, update: bytes) -> None:
    """It was judged where it was written, but by what code?"""
    room = await house.room()
    phone, laptop = Device().join(room), Device("bob").join(room)
    phone.say("before")
    await until(lambda: laptop.texts == ["before"] and phone.unsaved == 0)
    written = len(laptop.writes)
    turn = Turn(NodeId("other"), "e", (Entry("eve", "editor", (), update, 1),))
    room.log.arrive(LoggedTurn(Position(room.position + 1), turn))
    assert len(laptop.writes) == written
    assert (
        laptop.closed == phone.closed == (close_codes.ROOM_RELOADED.code, close_codes.ROOM_RELOADED.reason())
    )
    assert len(house.reports) == 1 and "could not apply its log" in house.reports.pop()


@pytest.mark.asyncio
async def test_who_takes_a_lease_over_sees_all_that_was_written_before(house: House, other: Rooms) -> None:
    """Its node has not heard of the last words yet; acting on less would leave them behind what replaces
    them.
    """
    phone = Device().join(await house.room())
    behind = Room(other.host, TRIP, "ab" * 16, await load(other.host, TRIP))
    other._rooms[TRIP] = behind
    phone.say("the last words")
    await until(lambda: phone.unsaved == 0)
    lease = await house.backplane.acquire_lease(SessionId(TRIP), "worker", 60_000)
    assert lease is not None
    worker = Actor(agent_user("travel"), Role.AGENT)
    async with other.replica(TRIP, worker, fence=lease.fence) as replica:
        assert [message.text for message in SessionDocument(replica.doc).messages] == ["the last words"]


@pytest.mark.asyncio
async def test_two_histories_under_one_client_id_end_the_second(house: House, other: Rooms) -> None:
    here, there = await house.room(), await other.open(TRIP)
    first, second = Device(client_id=5).join(here), Device(client_id=5).join(there)
    bystander = Device("bob").join(there)
    await until(lambda: all(device.unsaved == 0 for device in (first, second, bystander)))
    first.say("one history")
    second.say("another history, of the same length and kind")
    await until(lambda: first.closed is not None or second.closed is not None)
    ended = first if first.closed is not None else second
    assert ended.closed is not None and ended.closed[0] == close_codes.REPLICA_REJECTED.code
    bystander.say("unharmed")
    await until(lambda: bystander.unsaved == 0 and len(bystander.texts) == 2)
    assert house.rooms.get(TRIP) is not None
    witness = Device("eve").join(here)
    assert_converged(bystander, witness)


@pytest.mark.asyncio
async def test_what_comes_during_a_recovery_waits_for_it(house: House, other: Rooms) -> None:
    here, there = await house.room(), await other.open(TRIP)
    phone, bystander = Device().join(here), Device("bob").join(there)
    await until(lambda: phone.unsaved == 0 and bystander.unsaved == 0)
    phone.say("on the move")
    phone.leave()
    phone.join(there)
    await until(lambda: there.interlude is not None or phone.unsaved == 0)
    bystander.say("meanwhile")
    await until(lambda: phone.unsaved == 0 and bystander.unsaved == 0)
    assert_converged(phone, bystander)


@pytest.mark.asyncio
async def test_a_room_whose_log_was_cut_past_it_starts_over(house: House) -> None:
    room = await house.room()
    phone, laptop = Device().join(room), Device("bob").join(room)
    phone.say("one")
    await until(lambda: phone.unsaved == 0 and laptop.texts == ["one"])
    level, position = room.log.replica, room.position
    async with Rooms(house.backplane) as other:
        ahead = await other.open(TRIP)
        stale = Room(house.rooms.host, TRIP, "ab" * 16, await load(house.rooms.host, TRIP))
        late = Device("eve").join(stale)
        Device().join(ahead)
        phone.say("two")
        await until(lambda: ahead.position > position and phone.unsaved == 0)
        base = ahead.log.replica.encode()
        await house.backplane.compact(TRIP, ahead.lineage, base, b"", ahead.position)
        stale.reload(await load(house.rooms.host, TRIP))
        assert late.texts == ["one", "two"]
        assert stale.position == ahead.position
    assert level is room.log.replica


def agent_message(agent: Device, text: str) -> None:
    """What no device may write: a message with the role of an assistant."""
    author = Author(agent.actor.user, agent.actor.device, agent.actor.name)
    message = agent.new_id()
    agent.session.messages.create(message, role="assistant", author=author, created_at=1, text=text)


@pytest.mark.asyncio
async def test_a_device_that_brings_what_the_agent_wrote_elsewhere_is_not_taken_for_its_author(
    house: House,
) -> None:
    """The node it comes to is behind the log, and has never heard of the agent's client id."""
    here = await house.room()
    behind = Room(house.rooms.host, TRIP, "ab" * 16, await load(house.rooms.host, TRIP))
    phone = Device().join(here)
    agent = Device(agent_user("demo"), role=Role.AGENT).join(here)
    agent_message(agent, "sunny")
    agent.flush()
    await until(lambda: agent.unsaved == phone.unsaved == 0 and phone.texts == ["sunny"])
    phone.leave()
    bystander = Device("bob").join(behind)
    phone.join(behind)
    assert behind.interlude is not None
    bystander.say("meanwhile")
    await until(lambda: behind.interlude is None)
    assert behind.position >= here.position - 1
    assert phone.closed is bystander.closed is None
    assert house.rooms.host.counts.second_looks == 1
    assert house.rooms.host.counts.refused == 0
    assert "sunny" in bystander.texts


@pytest.mark.asyncio
async def test_a_forger_with_a_client_id_that_nobody_knows_is_refused_all_the_same(house: House) -> None:
    room = await house.room()
    bystander = Device("bob").join(room)
    forger = Device("eve")
    agent_message(forger, "trust me")
    forger.join(room)
    await until(lambda: forger.closed is not None)
    assert forger.closed is not None and forger.closed[0] == close_codes.REPLICA_REJECTED.code
    bystander.say("unharmed")
    await until(lambda: bystander.unsaved == 0)
    assert bystander.texts == ["unharmed"]
    assert house.rooms.host.counts.second_looks == 0, "the store knows that there is nothing to look for"


def logged(position: int) -> LoggedTurn:
    return LoggedTurn(Position(position), Turn(NodeId("n"), "e", ()))


def test_arrivals_put_turns_in_order_and_drop_what_came_twice() -> None:
    arrivals = Arrivals(Position(0), 10)
    order = []
    for position in (2, 1, 1, 4, 2, 3, 5):
        order += [turn.position for turn in arrivals.offer(logged(position))]
    assert order == [1, 2, 3, 4, 5]


def test_arrivals_are_bounded() -> None:
    arrivals = Arrivals(Position(0), 3)
    with pytest.raises(TooFarAhead):
        for position in range(2, 7):
            list(arrivals.offer(logged(position)))


def test_forks_are_told_from_retries_however_structs_are_cut() -> None:
    device = Device(client_id=9)
    message = device.write_message("hello 😀 world")
    update = device.doc.get_update()
    clock = device.doc.get_state()
    device.session.messages.append_text(message, "!")
    replica = Replica()
    replica.integrate([device.doc.get_update()])
    honest = Entry("ada", "editor", (ClockRange(9, 0, 99),), update, 1)
    assert not is_forked(replica, honest)
    tail = Entry("ada", "editor", (ClockRange(9, 8, 99),), device.doc.get_update(clock), 1)
    assert not is_forked(replica, tail)
    forger = Device(client_id=9)
    forger.write_message("jello 😀 world")
    forged = Entry("ada", "editor", (ClockRange(9, 0, 99),), forger.doc.get_update(), 1)
    assert is_forked(replica, forged)


def test_what_was_deleted_since_is_no_fork() -> None:
    device = Device(client_id=9)
    message = device.write_message("hello")
    update = device.doc.get_update()
    del device.session.messages.text(message)[1:3]
    replica = Replica()
    replica.integrate([device.doc.get_update()])
    assert not is_forked(replica, Entry("ada", "editor", (ClockRange(9, 0, 99),), update, 1))


def test_names_are_documents() -> None:
    assert DocumentName("trip") == TRIP
