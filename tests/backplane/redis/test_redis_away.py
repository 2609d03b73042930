"""Redis killed, stopped or cut off: turns wait, nothing blocks, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import signal

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Outcome, Reader, Writer, a_document, a_session, eventually

from threadline.errors import StoreError
from threadline_server.backplane.base import LoggedTurn
from threadline_server.backplane.redis import links

pytestmark = pytest.mark.redis

KILLS = 3


class Chain:
    """Appends one turn after another, the next when the last is taken; notes what was acknowledged."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.outcomes: list[Outcome] = []
        self.stopped = False

    async def run(self) -> None:
        while not self.stopped:
            outcome = self.writer.begin(self.writer.next_turn(f"clock {self.writer.clock}"))
            self.outcomes.append(outcome)
            await outcome.taken()

    @property
    def acknowledged(self) -> int:
        return sum("durable" in outcome.events for outcome in self.outcomes)


def clocks(turns: list[LoggedTurn]) -> list[int]:
    return [turn.turn.entries[0].ranges[0].start for turn in turns]


async def acknowledged_more(chains: list[Chain], count: int) -> None:
    before = sum(chain.acknowledged for chain in chains)
    await eventually(lambda: sum(chain.acknowledged for chain in chains) > before + count)


async def all_or_lost(reader: Reader, count: int) -> None:
    await eventually(lambda: len(reader.turns) == count or reader.lost > 0)


@pytest.mark.asyncio
async def test_kill_9_of_redis_loses_no_acknowledged_turn(own_redis: RedisServer, own_nodes: Nodes) -> None:
    a, b = await own_nodes.start("a"), await own_nodes.start("b")
    chains = [Chain(await a_document(a, f"trip-{n}")) for n in range(4)]
    readers = [Reader().follow(b, chain.writer.document) for chain in chains]
    async with asyncio.TaskGroup() as tasks:
        for chain in chains:
            tasks.create_task(chain.run())
        for _ in range(KILLS):
            await acknowledged_more(chains, 200)
            own_redis.kill()
            await eventually(lambda: not a.healthy)
            own_redis.start()
            await eventually(lambda: a.healthy)
        for chain in chains:
            chain.stopped = True
    for chain, reader in zip(chains, readers, strict=True):
        for outcome in chain.outcomes:
            assert outcome.events == ["taken", "durable"] or (await outcome.end()).events[-1] == "durable"
        stored = await b.load(chain.writer.document)
        assert clocks(list(stored.tail)) == list(range(len(chain.outcomes)))
        await all_or_lost(reader, len(chain.outcomes))
        if not reader.lost:
            assert clocks(reader.turns) == list(range(len(chain.outcomes)))


@pytest.mark.asyncio
async def test_a_stopped_redis_delays_and_blocks_nothing(
    own_redis: RedisServer, own_nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "REPLY_S", 0.4)
    a = await own_nodes.start("a")
    writer = await a_document(a)
    await writer.write()
    own_redis.signal(signal.SIGSTOP)
    try:
        outcome = writer.begin(writer.next_turn("while it stands still"))
        await eventually(lambda: not a.healthy)
        assert outcome.events == []
    finally:
        own_redis.signal(signal.SIGCONT)
    assert (await outcome.end()).events == ["taken", "durable"]
    await eventually(lambda: a.healthy)
    assert await writer.write() == 3
    assert (await a.load(writer.document)).position == 3


@pytest.mark.asyncio
async def test_a_lost_reply_is_asked_for_again_and_not_doubled(redis: RedisServer, nodes: Nodes) -> None:
    a = await nodes.start("a")
    writer = await a_document(a)
    outcomes = []
    for _ in range(50):
        outcome = writer.begin(writer.next_turn())
        await asyncio.sleep(0)  # the command is on its way now
        for link in a._links.all:
            link.abort()
        outcomes.append(await outcome.end())
    assert [outcome.position for outcome in outcomes] == list(range(1, 51))
    assert (await a.load(writer.document)).position == 50


@pytest.mark.asyncio
async def test_a_call_gives_up_in_the_end(
    own_redis: RedisServer, own_nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = await own_nodes.start("a")
    await a.create_session(a_session())
    monkeypatch.setattr(links, "CALL_S", 0.2)
    own_redis.kill()
    with pytest.raises(StoreError, match="away"):
        await a.get_session(a_session().id)


@pytest.mark.asyncio
async def test_starting_without_redis_waits_and_then_says_so(
    own_redis: RedisServer, own_nodes: Nodes
) -> None:
    own_redis.kill()
    with pytest.raises(StoreError, match="did not answer"):
        await own_nodes.start("a", start_s=0.6)
    starting = asyncio.create_task(own_nodes.start("a"))
    own_redis.start()
    assert (await starting).healthy
