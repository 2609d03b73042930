"""Acknowledgements that wait for the disk though Redis syncs once a second (WAITAOF)."""

from __future__ import annotations

import asyncio
import errno
import re
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import PROGRAM, RedisServer, redis_server
from tests.contract.writing import a_document, eventually
from tests.faults.failing_disk import FailingDisk

from threadline.errors import ConfigurationError
from threadline_server.backplane.base import Durability
from threadline_server.backplane.redis.endpoint import Address, parse_endpoint
from threadline_server.backplane.redis.keys import slot_of
from threadline_server.backplane.redis.link import OnReply, RedisAway, RedisRefused, Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.requirements import WAITAOF_SINCE
from threadline_server.backplane.redis.synced_confirmer import SyncedConfirmer, marker_key
from threadline_server.backplane.redis.topology import Topology

TURNS = 300
HERE = Address("127.0.0.1", 1)

pytestmark = pytest.mark.redis


def version() -> tuple[int, ...]:
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    assert found is not None
    return int(found[1]), int(found[2])


needs_waitaof = pytest.mark.skipif(
    version() < WAITAOF_SINCE,
    reason="WAITAOF tells the truth since Redis 8.0: name one by the variable REDIS_SERVER",
)


@pytest.fixture
def redis_on_disk(tmp_path: Path) -> Iterator[tuple[RedisServer, FailingDisk]]:
    disk = FailingDisk(tmp_path)
    server = RedisServer(disk.files)
    server.start(disk.whole_environment)
    yield server, disk
    server.kill()
    disk.close()


class Primary:
    """What it was told, and the questions that wait for an answer. In the place of the links to Redis."""

    def __init__(self) -> None:
        self.topology = Topology(parse_endpoint("redis://127.0.0.1:1"))
        self.topology.move(0, HERE)
        self.synced: list[str] = []
        self.writes: list[OnReply] = []
        self.questions: list[OnReply] = []
        self.confirmer = SyncedConfirmer[str](cast(Links, self), self.synced.extend)

    def submit(self, slot: int, command: bytes, on_reply: OnReply) -> None:
        (self.questions if b"WAITAOF" in command else self.writes).append(on_reply)

    async def answer(self, write: Reply, local: Reply) -> None:
        await eventually(lambda: len(self.questions) == len(self.writes) == 1)
        self.writes.pop()(write)
        self.questions.pop()(local)


@pytest.mark.asyncio
async def test_turns_are_durable_when_the_disk_has_them() -> None:
    primary = Primary()
    primary.confirmer.add(0, "a")
    primary.confirmer.add(0, "b")
    assert primary.synced == []
    await primary.answer(b"OK", [1, 0])
    assert primary.synced == ["a"]
    await primary.answer(b"OK", [1, 0])
    assert primary.synced == ["a", "b"]
    assert len(primary.confirmer) == 0
    assert primary.questions == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("write", "local"),
    [
        (b"OK", [0, 0]),
        (RedisRefused("MISCONF Errors writing to the AOF file"), [1, 0]),
        (RedisAway("gone"), RedisAway("gone")),
    ],
    ids=["no sync in time", "the write was refused", "away"],
)
async def test_turns_wait_and_it_is_told_while_the_disk_does_not_have_them(
    write: Reply, local: Reply
) -> None:
    primary = Primary()
    primary.confirmer.add(0, "a")
    await primary.answer(write, local)
    assert primary.synced == []
    assert primary.confirmer.failing
    await primary.answer(b"OK", [1, 0])
    assert primary.synced == ["a"]
    assert not primary.confirmer.failing


@pytest.mark.asyncio
async def test_an_answer_that_comes_after_a_restart_says_nothing() -> None:
    primary = Primary()
    primary.confirmer.add(0, "a")
    assert primary.confirmer.take_back(HERE) == ["a"]
    await primary.answer(b"OK", [1, 0])
    assert primary.synced == []


@pytest.mark.asyncio
@pytest.mark.skipif(version() >= WAITAOF_SINCE, reason="this Redis can be asked")
async def test_a_redis_that_would_not_tell_the_truth_is_not_asked() -> None:
    with redis_server() as redis:
        async with AsyncExitStack() as stack:
            with pytest.raises(ConfigurationError, match=r"appendfsync always.*8\.0"):
                await Nodes(redis.url, stack).start("a", least=Durability.FSYNC)


def test_a_marker_lies_in_its_slot() -> None:
    for slot in (0, 7_000, 16_383):
        assert slot_of(marker_key(slot)[len("tl:{") : -1]) == slot


@needs_waitaof
@pytest.mark.asyncio
async def test_everysec_is_asked_to_sync_where_that_is_wanted() -> None:
    with redis_server() as redis:
        async with AsyncExitStack() as stack:
            nodes = Nodes(redis.url, stack)
            node = await nodes.start("a", least=Durability.FSYNC)
            other = await nodes.start("b")
            assert (node.durability, other.durability) == (Durability.FSYNC, Durability.PROCESS)
            writers = [await a_document(node, f"trip-{n}") for n in range(10)]
            outcomes = [writer.begin(writer.next_turn()) for _ in range(TURNS // 10) for writer in writers]
            for outcome in outcomes:
                assert (await outcome.end()).events == ["taken", "durable"]


@needs_waitaof
@pytest.mark.asyncio
async def test_nothing_is_acknowledged_that_no_sync_brought_to_disk(
    redis_on_disk: tuple[RedisServer, FailingDisk],
) -> None:
    redis, disk = redis_on_disk
    async with AsyncExitStack() as stack:
        node = await Nodes(redis.url, stack).start("a", least=Durability.FSYNC)
        writer = await a_document(node)
        await writer.write()
        disk.fail(syncs=errno.EIO)
        outcome = writer.begin(writer.next_turn())
        await eventually(lambda: not node.healthy and disk.failed > 0)
        assert "durable" not in outcome.events
        disk.heal()
        assert (await outcome.end()).events == ["taken", "durable"]
        await eventually(lambda: node.healthy)


@needs_waitaof
@pytest.mark.asyncio
async def test_turns_outlive_a_kill_of_redis() -> None:
    with redis_server() as redis:
        async with AsyncExitStack() as stack:
            node = await Nodes(redis.url, stack).start("a", least=Durability.FSYNC)
            writer = await a_document(node)
            outcomes = [writer.begin(writer.next_turn()) for _ in range(50)]
            await outcomes[10].taken()
            redis.kill()
            await eventually(lambda: not node.healthy)
            await asyncio.to_thread(redis.start)
            for outcome in outcomes:
                assert (await outcome.end()).events == ["taken", "durable"]
            assert (await node.load(writer.document)).position == 50
