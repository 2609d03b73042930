"""A command whose reply is lost is sent again: Redis runs it twice, and that is the same as once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import LINEAGE, Writer, a_document, a_session
from tests.redis_proxy import RedisProxy

from threadline.errors import SessionDeleted, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName, Position, RunHint
from threadline_server.backplane.objects import DirectoryObjects
from threadline_server.backplane.redis import RedisBackplane

TRIP = SessionId("trip")
LATER_MS = 1_900_000_000_000

pytestmark = pytest.mark.redis


@pytest_asyncio.fixture
async def twice(redis: RedisServer) -> AsyncIterator[Nodes]:
    """Nodes whose every command runs twice, as when the first reply to each is lost with its connection."""
    async with RedisProxy(redis.port, Random(1), twice=True).listening() as way, AsyncExitStack() as stack:
        yield Nodes(way.url, stack)


async def compacted(node: RedisBackplane, writer: Writer, base: bytes) -> Position:
    position = await writer.write()
    await node.compact(writer.document, LINEAGE, base, b"index", position)
    return position


@pytest.mark.asyncio
async def test_a_base_stays(twice: Nodes, redis: RedisServer) -> None:
    node = await twice.start("a")
    writer = await a_document(node)
    for number in range(3):
        base = b"base %d " % number
        position = await compacted(node, writer, base)
        stored = await node.load(writer.document)
        assert (stored.base, stored.index, stored.position) == (base, b"index", position)
    with redis.client as client:
        assert len(list(client.scan_iter(match="tl:{trip}:base:*"))) == 1
        assert list(client.scan_iter(match="tl:{trip}:lock:*")) == []


@pytest.mark.asyncio
async def test_a_late_command_does_not_end_a_base_in_use(redis: RedisServer) -> None:
    """One that was under way on a connection that broke, and runs when everything is done."""
    async with RedisProxy(redis.port, Random(1)).listening() as way, AsyncExitStack() as stack:
        node = await Nodes(way.url, stack).start("a")
        writer = await a_document(node)
        way.noting = True
        position = await compacted(node, writer, b"base")
        assert any(b"EVALSHA" in command for command in way.commands)
        await way.run(way.commands)
        stored = await node.load(writer.document)
    assert (stored.base, stored.position) == (b"base", position)
    with redis.client as client:
        (base,) = client.scan_iter(match="tl:{trip}:base:*")
        assert client.pttl(base) == -1


@pytest.mark.asyncio
async def test_nothing_is_left_of_compactions_that_come_to_nothing(nodes: Nodes, redis: RedisServer) -> None:
    node = await nodes.start("a")
    writer = await a_document(node)
    position = await compacted(node, writer, b"base")
    with redis.client as client:
        before = set(client.scan_iter(match="tl:{trip}*"))
        await node.compact(writer.document, LINEAGE, b"another", b"", position)
        for lineage, through in (("lineage-0", position), (LINEAGE, Position(position + 1))):
            with pytest.raises(StoreError):
                await node.compact(writer.document, lineage, b"third", b"", through)
        assert set(client.scan_iter(match="tl:{trip}*")) == before


@pytest.mark.asyncio
async def test_a_session_goes_out_of_redis_and_comes_back(twice: Nodes, tmp_path: Path) -> None:
    node = await twice.start("a", objects=DirectoryObjects(tmp_path))
    writer = await a_document(node)
    await compacted(node, writer, b"base")
    await writer.write()
    await Writer(node, DocumentName("trip~ada")).write()
    before = await node.load(writer.document)
    for _ in range(2):
        assert await node.cool_idle(LATER_MS) == 1
        assert await node.load(writer.document) == before
    assert (await node.load(DocumentName("trip~ada"))).position == 1


@pytest.mark.asyncio
async def test_records_leases_and_decisions_are_as_they_should_be(twice: Nodes) -> None:
    node = await twice.start("a")
    record = await node.create_session(a_session(title="Rome"))
    assert await node.get_session(TRIP) == record
    lease = await node.acquire_lease(TRIP, "worker-1", 60_000)
    assert lease is not None
    assert await node.acquire_lease(TRIP, "worker-2", 60_000) is None
    assert await node.decide(TRIP, "who", "ada", lease.fence) == "ada"
    assert await node.renew_lease(lease, 60_000) is not None
    await node.release_lease(lease)
    assert await node.acquire_lease(TRIP, "worker-2", 60_000) is not None
    await node.put_blob(TRIP, "plot", b"picture")
    await node.hint(RunHint(TRIP))
    await node.delete_session(TRIP)
    with pytest.raises(SessionDeleted):
        await node.get_session(TRIP)
