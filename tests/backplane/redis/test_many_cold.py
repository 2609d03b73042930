"""Very many sessions that leave Redis for a bucket and come back while people write in them."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from redis import Redis
from tests.backplane.redis.conftest import Nodes
from tests.backplane.s3_server import Bucket
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import Writer, a_session

from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.objects import open_objects
from threadline_server.backplane.redis import RedisBackplane

SESSIONS = 240
FULL_SESSIONS = 10_000
AT_ONCE = 20
LATER_MS = 1_900_000_000_000
MOST_BYTES = 1024
TABLES_BYTES = 48_000  # of the index, which have a size of their own where sessions are few
LINEAGE = "0198c0de-7abc-7def-8123-0123456789ab"

pytestmark = pytest.mark.redis


async def an_idle_session(node: RedisBackplane, number: int) -> Writer:
    """One as people have them: a title, a conversation, and a companion with a draft."""
    name = f"0198c0de-7abc-7def-8123-{number:012}"
    record = a_session(
        name,
        lineage=LINEAGE,
        title="Three days in Berlin",
        owner="ada.lovelace",
        agent="travel",
        status="idle",
    )
    await node.create_session(record)
    writer = Writer(node, DocumentName(name), lineage=LINEAGE)
    await writer.write("x" * 2_000)
    await Writer(node, DocumentName(f"{name}~ada.lovelace"), lineage=LINEAGE).write("draft")
    return writer


@dataclass
class Traffic:
    """Writes in sessions drawn by chance, cold or not. acknowledged: turns, by document."""

    writers: Sequence[Writer]
    chance: random.Random
    acknowledged: Counter[DocumentName] = field(default_factory=Counter)

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(AT_ONCE):
                tasks.create_task(self._write(self.writers[number::AT_ONCE], ended))
            yield
            ended.set()

    async def _write(self, writers: Sequence[Writer], ended: asyncio.Event) -> None:
        while not ended.is_set():
            writer = self.chance.choice(writers)
            await writer.write("more")
            self.acknowledged[writer.document] += 1

    async def load_all(self, node: RedisBackplane) -> int:
        """Bring every session back, a few at once; how many turns are missing."""
        shares = (self.writers[number::AT_ONCE] for number in range(AT_ONCE))
        return sum(await asyncio.gather(*(self._load(node, share) for share in shares)))

    async def _load(self, node: RedisBackplane, writers: Sequence[Writer]) -> int:
        missing = 0
        for writer in writers:
            promised = 1 + self.acknowledged[writer.document]
            tail = (await node.load(writer.document)).tail
            clocks = [logged.turn.entries[0].ranges[0].start for logged in tail]
            assert clocks == list(range(len(clocks)))
            missing += max(0, promised - len(clocks))
        return missing


async def cool(node: RedisBackplane, count: int) -> int:
    """Move so many out, or all that are in Redis when those are fewer; how many went."""
    cooled = 0
    while cooled < count:
        went = await node.cool_idle(LATER_MS, min(500, count - cooled))
        if not went:
            break
        cooled += went
    return cooled


def bytes_of_keys(client: Redis) -> int:
    """What every key takes, indexes included."""
    return sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(count=1000))


@pytest.fixture
def large_tables(redis: RedisServer) -> Iterator[None]:
    """Few entries already make a large table of an index, as where sessions are very many."""
    with redis.client as client:
        client.config_set("zset-max-listpack-entries", "4")
        yield
        client.config_set("zset-max-listpack-entries", "128")


@pytest.mark.asyncio
async def test_many_sessions_go_and_come_back_under_traffic(
    nodes: Nodes,
    redis: RedisServer,
    large_tables: None,
    bucket: Bucket,
    full: bool,
    figures: Callable[[str], None],
) -> None:
    began = time.monotonic()
    count = FULL_SESSIONS if full else SESSIONS
    a, b = [await nodes.start(name, objects=open_objects("s3://trips/cold")) for name in "ab"]
    writers: list[Writer] = []
    while len(writers) < count:
        numbers = range(len(writers), len(writers) + AT_ONCE)
        writers += await asyncio.gather(*(an_idle_session(a, number) for number in numbers))
    traffic = Traffic(writers, random.Random(5))
    async with traffic.going():
        moved = await cool(b, count)
    moved += await cool(b, 10 * count)
    assert len(bucket.objects) == 2 * count
    with redis.client as client:
        each = bytes_of_keys(client) / count
    async with traffic.going(), asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(traffic.load_all(a))
        moved += await cool(b, count // 2)
    lost = loading.result() + await traffic.load_all(b)
    figures(
        f"{count} sessions, {moved} moves into a bucket and back under {traffic.acknowledged.total()} turns: "
        f"{lost} turns lost; {each:.0f} bytes of Redis for a cold session, all keys and indexes; "
        f"{time.monotonic() - began:.0f} s"
    )
    assert lost == 0
    assert each <= MOST_BYTES + TABLES_BYTES / count
