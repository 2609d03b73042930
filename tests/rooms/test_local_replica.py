"""Replicas inside the process: runs and the HTTP API write through the same gate."""

from __future__ import annotations

import pytest
from tests.rooms.devices import Device
from tests.rooms.houses import TRIP, House, until

from threadline.actors import Actor, Role
from threadline.document.messages import Author
from threadline.document.session_document import SessionDocument
from threadline.errors import Refused, SessionClosed
from threadline.ids import SessionId, agent_user, new_entry_id
from threadline_server.backplane.base import Fence
from threadline_server.rooms.local_replica import LocalReplica

AGENT = Actor(agent_user("demo"), Role.AGENT)
ADA = Actor("ada", Role.OWNER)


def reply(replica: LocalReplica, text: str) -> str:
    message = new_entry_id(replica.actor.user)
    with replica.edit() as doc:
        SessionDocument(doc).messages.create(
            message, role="assistant", author=Author(replica.actor.user), created_at=2, text=text
        )
    return message


@pytest.mark.asyncio
async def test_an_agent_answers(house: House) -> None:
    phone = Device().join(await house.room())
    async with house.rooms.replica(TRIP, AGENT, client_id=77) as agent:
        heard: list[str] = []
        agent.subscribe(lambda: heard.append("change"))
        phone.say("hello")
        await agent.changes.until(lambda: len(SessionDocument(agent.doc).messages) == 1)
        message = reply(agent, "")
        for word in ("good ", "morning"):
            with agent.edit() as doc:
                SessionDocument(doc).messages.append_text(message, word)
        await agent.saved()
        assert heard
        assert phone.texts == ["hello", "good morning"]
        assert house.rooms.stats()["replicas"] == 1
    assert house.rooms.stats()["replicas"] == 0


@pytest.mark.asyncio
async def test_a_forbidden_edit_is_refused_at_once(house: House) -> None:
    room = await house.room()
    async with house.rooms.replica(TRIP, ADA) as replica:
        with pytest.raises(Refused):
            reply(replica, "I am no agent")
        with pytest.raises(Refused), replica.edit():
            pass
    async with house.rooms.replica(TRIP, ADA) as fresh:
        assert len(SessionDocument(fresh.doc).messages) == 0
    assert len(SessionDocument(room.document()).messages) == 0


@pytest.mark.asyncio
async def test_client_ids_are_used_again(house: House) -> None:
    await house.create()
    seen = set()
    for number in range(5):
        async with house.rooms.replica(TRIP, ADA) as replica:
            with replica.edit() as doc:
                SessionDocument(doc).state.set("count", number)
            await replica.saved()
            seen.add(replica.client_id)
    assert len(seen) == 1
    room = await house.room()
    assert SessionDocument(room.document()).state.get("count") == 4


@pytest.mark.asyncio
async def test_replicas_at_the_same_time_have_ids_of_their_own(house: House) -> None:
    await house.create()
    async with house.rooms.replica(TRIP, ADA) as one, house.rooms.replica(TRIP, ADA) as two:
        assert one.client_id != two.client_id
        for replica in (one, two):
            with replica.edit() as doc:
                SessionDocument(doc).counters.add("views", 1)
        await one.saved()
        await two.saved()
        assert SessionDocument(one.doc).counters["views"] == 2


@pytest.mark.asyncio
async def test_a_replica_left_before_its_edit_is_logged_leaves_its_id(house: House) -> None:
    await house.create()
    async with house.rooms.replica(TRIP, ADA) as replica:
        with replica.edit() as doc:
            SessionDocument(doc).state.set("a", 1)
    async with house.rooms.replica(TRIP, ADA) as other:
        with other.edit() as doc:
            SessionDocument(doc).state.set("b", 2)
        await other.saved()
    room = await house.room()
    assert SessionDocument(room.document()).state.to_dict() == {"a": 1, "b": 2}


@pytest.mark.asyncio
async def test_a_lost_fence_ends_the_writer_and_nobody_else(house: House) -> None:
    phone = Device().join(await house.room())
    first = await house.backplane.acquire_lease(SessionId("trip"), "worker 1", 1)
    assert first is not None
    async with house.rooms.replica(TRIP, AGENT, client_id=7, fence=first.fence) as old:
        reply(old, "still mine")
        await old.saved()
        await house.backplane.release_lease(first)
        second = await house.backplane.acquire_lease(SessionId("trip"), "worker 2", 60_000)
        assert second is not None
        async with house.rooms.replica(TRIP, AGENT, client_id=8, fence=second.fence) as new:
            reply(new, "mine now")
            await new.saved()
            reply(old, "lost")
            phone.say("unharmed")
            await until(lambda: old.ended is not None and phone.unsaved == 0)
            reply(new, "going on")
            await new.saved()
    assert phone.closed is None
    assert sorted(phone.texts) == ["going on", "mine now", "still mine", "unharmed"]
    assert house.rooms.host.counts.recoveries == 1


@pytest.mark.asyncio
async def test_an_agent_can_be_present(house: House) -> None:
    phone = Device().join(await house.room())
    async with house.rooms.replica(TRIP, AGENT, client_id=7) as agent:
        agent.announce({"typing": True})
        await until(lambda: phone.users_present() == ["agent:demo"])
    await until(lambda: phone.users_present() == [])


@pytest.mark.asyncio
async def test_the_end_of_a_session_ends_its_replicas(house: House) -> None:
    await house.create()
    async with house.rooms.replica(TRIP, AGENT, client_id=7) as agent:
        await house.backplane.delete_session(SessionId("trip"))
        with pytest.raises(SessionClosed):
            await agent.changes.until(lambda: agent.ended is not None)
            with agent.edit():
                pass


def test_a_fence_is_a_value() -> None:
    assert Fence(SessionId("a"), 1) == Fence(SessionId("a"), 1)
