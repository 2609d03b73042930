"""Rooms of several nodes on one Redis: the same promises, with turns taken later and from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.contract.redis_servers import RedisServer, redis_server
from tests.rooms.devices import Device, assert_converged
from tests.rooms.houses import TRIP, until

from threadline.document.session_document import SessionDocument
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName, NodeId, SessionRecord
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class Deployment:
    """Nodes on one Redis, closed with the test; `reports` must stay empty."""

    def __init__(self, redis: RedisServer, stack: AsyncExitStack) -> None:
        self.reports: list[str] = []
        self._redis = redis
        self._stack = stack

    async def node(self, name: str, options: RoomOptions | None = None) -> Rooms:
        backplane = RedisBackplane(self._redis.url, node=NodeId(name))
        await backplane.open()
        self._stack.push_async_callback(backplane.close)
        rooms = Rooms(
            backplane, options, report=lambda message, _, error: self.reports.append(f"{message}: {error!r}")
        )
        await self._stack.enter_async_context(rooms)
        await backplane.create_session(SessionRecord(SessionId("trip"), f"lineage-{id(self)}", "ada", 1, 1))
        return rooms

    def _report(self, message: str, document: DocumentName, error: BaseException) -> None:
        self.reports.append(f"{message}: {error!r}")


@pytest_asyncio.fixture
async def deployment(redis: RedisServer) -> AsyncIterator[Deployment]:
    with redis.client as client:
        client.flushall()
    async with AsyncExitStack() as stack:
        deployment = Deployment(redis, stack)
        yield deployment
    assert deployment.reports == []


@pytest.mark.asyncio
async def test_devices_of_two_nodes_converge(deployment: Deployment) -> None:
    one, two = await deployment.node("one"), await deployment.node("two")
    phone = Device().join(await one.open(TRIP))
    laptop = Device("bob").join(await two.open(TRIP))
    for number in range(30):
        phone.say(f"phone {number}")
        laptop.say(f"laptop {number}")
        await asyncio.sleep(0)
    await until(lambda: phone.unsaved == 0 and laptop.unsaved == 0)
    await until(lambda: len(phone.texts) == len(laptop.texts) == 60)
    await until(lambda: phone.session.digest() == laptop.session.digest())
    assert all(message.seq for message in phone.session.messages)


@pytest.mark.asyncio
async def test_presence_crosses_nodes(deployment: Deployment) -> None:
    one, two = await deployment.node("one"), await deployment.node("two")
    phone = Device("ada").join(await one.open(TRIP))
    phone.announce(typing=True)
    laptop = Device("bob").join(await two.open(TRIP))
    await until(lambda: laptop.users_present() == ["ada"])
    laptop.announce()
    await until(lambda: phone.users_present() == ["ada", "bob"])
    phone.leave()
    await until(lambda: laptop.users_present() == ["bob"])


@pytest.mark.asyncio
async def test_a_device_that_changes_nodes_in_the_middle_loses_nothing(deployment: Deployment) -> None:
    one, two = await deployment.node("one"), await deployment.node("two")
    rooms = [await one.open(TRIP), await two.open(TRIP)]
    phone = Device().join(rooms[0])
    watcher = Device("bob").join(rooms[1])
    for number in range(20):
        phone.say(f"message {number}")
        phone.leave()
        phone.join(rooms[(number + 1) % 2])
    await until(lambda: phone.unsaved == 0)
    assert phone.closed is None and watcher.closed is None
    await until(lambda: len(watcher.texts) == 20)
    assert_converged(phone, watcher)


@pytest.mark.asyncio
async def test_bases_are_made_while_both_nodes_write(deployment: Deployment) -> None:
    options = RoomOptions(compact_turns=10)
    one, two = await deployment.node("one", options), await deployment.node("two", options)
    phone = Device().join(await one.open(TRIP))
    laptop = Device("bob").join(await two.open(TRIP))
    for number in range(60):
        phone.say(f"phone {number}")
        laptop.say(f"laptop {number}")
        await until(lambda: phone.unsaved < 3 and laptop.unsaved < 3)
    await until(lambda: phone.unsaved == laptop.unsaved == 0 and len(phone.texts) == len(laptop.texts) == 120)
    await until(lambda: one.host.counts.compactions + two.host.counts.compactions >= 3)
    three = await deployment.node("three")
    room = await three.open(TRIP)
    assert SessionDocument(room.document()).digest() == phone.session.digest()


@pytest.mark.asyncio
async def test_two_histories_under_one_client_id_end_one_of_them(deployment: Deployment) -> None:
    one, two = await deployment.node("one"), await deployment.node("two")
    first = Device(client_id=5).join(await one.open(TRIP))
    second = Device(client_id=5).join(await two.open(TRIP))
    watchers = [Device("bob").join(await rooms.open(TRIP)) for rooms in (one, two)]
    await until(lambda: first.unsaved == second.unsaved == 0)
    first.say("one history")
    second.say("another history")
    await until(lambda: first.closed is not None or second.closed is not None)
    watchers[0].say("unharmed")
    await until(lambda: watchers[0].unsaved == 0)
    await until(lambda: watchers[0].session.digest() == watchers[1].session.digest())
    assert len(watchers[1].texts) == 2


@pytest.mark.asyncio
async def test_a_room_that_is_never_at_rest_is_compacted_all_the_same(deployment: Deployment) -> None:
    """A turn is always on its way: what comes in has to wait for it once, so that a base can be made."""
    one = await deployment.node("one", RoomOptions(compact_turns=5))
    room = await one.open(TRIP)
    phone, laptop = Device().join(room), Device("bob").join(room)
    written = 0
    while one.host.counts.compactions < 3 and written < 5_000:
        phone.say(f"message {written}")
        written += 1
        await asyncio.sleep(0)
    await until(lambda: phone.unsaved == 0 and len(laptop.texts) == written)
    assert one.host.counts.compactions >= 3
    assert room.interlude is None
    assert_converged(phone, laptop)
    two = await deployment.node("two")
    assert SessionDocument((await two.open(TRIP)).document()).digest() == phone.session.digest()
