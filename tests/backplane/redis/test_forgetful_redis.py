"""A Redis that comes back without turns it had replied to, as a crash may leave it under `everysec`.

The crash is made by cutting the append-only file back to an earlier length while Redis is dead.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Outcome, Reader, Writer, a_document, eventually

from threadline_server.backplane.base import DocumentName, LoggedTurn, Position, StaleRange
from threadline_server.backplane.redis import RedisBackplane

pytestmark = pytest.mark.redis


def append_only_file(redis: RedisServer) -> Path:
    return max((redis.directory / "appendonlydir").glob("*.incr.aof"))


def keep_from_asking(node: RedisBackplane) -> None:
    """Leave what is taken now unacknowledged: the question whether it is written never gets an answer."""
    node._confirmer._ask = lambda file: None  # type: ignore[method-assign]


async def crash_back_to(redis: RedisServer, length: int, node: RedisBackplane) -> None:
    redis.kill()
    await eventually(lambda: not node.healthy)
    with append_only_file(redis).open("r+b") as file:
        file.truncate(length)
    del node._confirmer._ask
    redis.start()
    await eventually(lambda: node.healthy)


async def take(writer: Writer, count: int) -> list[Outcome]:
    outcomes = [writer.begin(writer.next_turn(f"clock {writer.clock}")) for _ in range(count)]
    for outcome in outcomes:
        await outcome.taken()
    return outcomes


@pytest.mark.asyncio
async def test_what_it_forgot_is_given_to_it_again(own_redis: RedisServer, own_nodes: Nodes) -> None:
    a, b = await own_nodes.start("a"), await own_nodes.start("b")
    writer = await a_document(a)
    readers = [Reader().follow(node, writer.document) for node in (a, b)]
    for _ in range(5):
        await writer.write()
    length = append_only_file(own_redis).stat().st_size
    keep_from_asking(a)
    outcomes = await take(writer, 4)
    await eventually(lambda: all(len(reader.turns) == 9 for reader in readers))
    await crash_back_to(own_redis, length, a)
    for outcome in outcomes:
        assert (await outcome.end()).events == ["taken", "durable"]
    assert await writer.write() == 10
    assert [logged.position for logged in (await b.load(writer.document)).tail] == list(range(1, 11))
    await eventually(lambda: len(readers[0].turns) == 10)
    await eventually(lambda: len(readers[1].turns) == 10 or readers[1].lost == 1)


@pytest.mark.asyncio
async def test_a_node_whose_turns_were_replaced_loads_again(own_redis: RedisServer, own_nodes: Nodes) -> None:
    a, b = await own_nodes.start("a"), await own_nodes.start("b")
    writer = await a_document(a)
    await writer.write()
    length = append_only_file(own_redis).stat().st_size
    keep_from_asking(a)
    reader = Reader().follow(a, writer.document)
    (outcome,) = await take(writer, 1)
    await eventually(lambda: reader.positions == [1, 2])
    own_redis.kill()
    await eventually(lambda: not a.healthy and not b.healthy)
    with append_only_file(own_redis).open("r+b") as file:
        file.truncate(length)
    other = Writer(b, writer.document, client=8)
    instead = other.begin(other.next_turn("in its place"))
    a._restarted = lambda address: None  # type: ignore[method-assign]  # it is slower than the other node
    own_redis.start()
    assert (await instead.end()).position == 2
    await eventually(lambda: a.healthy)
    del a._restarted
    del a._confirmer._ask
    a._restarted(a._topology.primaries[0])
    await eventually(lambda: reader.lost == 1)
    assert (await outcome.end()).events == ["taken", "durable"]
    (_, second, third) = (await a.load(writer.document)).tail
    assert second.turn.entries[0].update == b"in its place"
    assert third.turn.entries[0].update == b"clock 1"


@pytest.mark.asyncio
async def test_a_turn_that_leans_on_a_forgotten_one_comes_after_it(
    own_redis: RedisServer, own_nodes: Nodes
) -> None:
    """The second node has seen the turn of the first, and has one of its own before Redis is back."""
    a, b = await own_nodes.start("a"), await own_nodes.start("b")
    writer = await a_document(a)
    await writer.write()
    length = append_only_file(own_redis).stat().st_size
    keep_from_asking(a)
    readers = [Reader().follow(node, writer.document) for node in (a, b)]
    (outcome,) = await take(writer, 1)
    await eventually(lambda: all(reader.positions == [1, 2] for reader in readers))
    own_redis.kill()
    await eventually(lambda: not a.healthy and not b.healthy)
    with append_only_file(own_redis).open("r+b") as file:
        file.truncate(length)
    other = Writer(b, writer.document, client=8)
    leaning = [other.begin(other.next_turn(f"leaning {n}")) for n in range(2)]
    del a._confirmer._ask
    own_redis.start()
    assert (await outcome.end()).events == ["taken", "durable"]
    assert [(await each.end()).position for each in leaning] == [3, 4]
    await eventually(lambda: all(reader.positions == [1, 2, 3, 4] for reader in readers))
    assert sum(reader.lost for reader in readers) == 0


@pytest.mark.asyncio
async def test_what_nobody_gives_it_again_is_lost_for_all(own_redis: RedisServer, own_nodes: Nodes) -> None:
    """The node that had the turn is gone as well: who saw it loads anew, and what leans on it is refused."""
    a, b = await own_nodes.start("a"), await own_nodes.start("b")
    writer = await a_document(a)
    await writer.write()
    length = append_only_file(own_redis).stat().st_size
    keep_from_asking(a)
    reader = Reader().follow(b, writer.document)
    await take(writer, 1)
    await eventually(lambda: reader.positions == [1, 2])
    own_redis.kill()
    await eventually(lambda: not a.healthy and not b.healthy)
    a._on_ready = lambda link: None  # type: ignore[method-assign]  # as if it had been killed
    a._restarted = lambda address: None  # type: ignore[method-assign]
    with append_only_file(own_redis).open("r+b") as file:
        file.truncate(length)
    other = Writer(b, writer.document, client=8)
    leaning = other.begin(other.next_turn())
    own_redis.start()
    assert isinstance((await leaning.end()).refusal, StaleRange)
    assert reader.lost == 1
    assert (await b.load(writer.document)).position == 1
    fresh = Writer(b, writer.document, client=9)
    assert await fresh.write() == 2


@pytest.mark.asyncio
async def test_turns_become_durable_in_order_across_a_restart(
    own_redis: RedisServer, own_nodes: Nodes
) -> None:
    """What was taken before it is looked for while newer turns come; those wait for it."""
    a = await own_nodes.start("a")
    writer = await a_document(a)
    await writer.write()
    keep_from_asking(a)
    before = await take(writer, 3)
    looking, read = asyncio.Event(), a._documents.read

    async def read_late(
        document: DocumentName, after: Position, limit: int
    ) -> tuple[tuple[LoggedTurn, ...], Position]:
        await looking.wait()
        return await read(document, after, limit)

    a._documents.read = read_late  # type: ignore[method-assign]
    await crash_back_to(own_redis, append_only_file(own_redis).stat().st_size, a)
    after = [writer.begin(writer.next_turn()) for _ in range(3)]
    await eventually(lambda: bool(a._writer._held))
    assert [outcome.events for outcome in after] == [[]] * 3
    assert (a.stats()["turns_not_durable"], a.stats()["turns_waiting"]) == (3, 3)
    looking.set()
    await after[0].end()
    assert [outcome.events for outcome in before] == [["taken", "durable"]] * 3
    for outcome in after:
        assert (await outcome.end()).events == ["taken", "durable"]
