"""A Cluster that moves slots and a primary that Sentinels replace: turns find their way."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from redis import Redis
from redis.exceptions import RedisError
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer, free_port, redis_cluster, redis_server
from tests.contract.writing import Reader, Writer, a_document, eventually
from tests.waiting import wait_until

from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.keys import slot_of

pytestmark = pytest.mark.redis

BEFORE_AND_AFTER = 100


@pytest.fixture
def cluster() -> Iterator[list[RedisServer]]:
    with redis_cluster() as servers:
        yield servers


@pytest_asyncio.fixture
async def cluster_nodes(cluster: list[RedisServer]) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        yield Nodes(cluster[1].url, stack)


def command(server: RedisServer, *arguments: str | int) -> object:
    with server.client as client:
        return client.execute_command(*arguments)


def owner_of(servers: list[RedisServer], slot: int) -> RedisServer:
    share = 16384 // len(servers) + 1
    return servers[slot // share]


def begin_move(slot: int, source: RedisServer, target: RedisServer) -> None:
    ids = [str(command(server, "CLUSTER", "MYID").decode()) for server in (source, target)]  # type: ignore[attr-defined]
    command(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    command(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])


def move_keys(slot: int, source: RedisServer, target: RedisServer) -> None:
    while keys := command(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
        command(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[misc]


def end_move(slot: int, servers: list[RedisServer], target: RedisServer) -> None:
    target_id = command(target, "CLUSTER", "MYID").decode()  # type: ignore[attr-defined]
    for server in (target, *servers):
        command(server, "CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def write_until(writer: Writer, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await writer.write()


@pytest.mark.asyncio
async def test_turns_go_on_while_a_slot_moves(cluster: list[RedisServer], cluster_nodes: Nodes) -> None:
    a, b = await cluster_nodes.start("a"), await cluster_nodes.start("b")
    writer = await a_document(a)
    reader = Reader().follow(b, writer.document)
    slot = slot_of("trip")
    source = owner_of(cluster, slot)
    target = next(server for server in cluster if server is not source)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write_until(writer, stop))
        await eventually(lambda: len(reader.turns) > BEFORE_AND_AFTER)
        for step in (begin_move, move_keys):
            await asyncio.to_thread(step, slot, source, target)
        await asyncio.to_thread(end_move, slot, cluster, target)
        moved_at = len(reader.turns)
        await eventually(lambda: len(reader.turns) > moved_at + BEFORE_AND_AFTER)
        stop.set()
    await eventually(lambda: len(reader.turns) == writer.clock)
    assert reader.positions == list(range(1, writer.clock + 1))
    assert reader.lost == 0
    assert command(target, "CLUSTER", "COUNTKEYSINSLOT", slot) == 4  # session, documents, document, log
    assert a.healthy


class Sentinels:
    """A primary with a replica, and one Sentinel that watches them."""

    def __init__(self, primary: RedisServer, replica: RedisServer, sentinel: Redis, port: int) -> None:
        self.primary, self.replica, self.sentinel = primary, replica, sentinel
        self.url = f"redis+sentinel://127.0.0.1:{port}/trips/0"

    def looks_often(self) -> bool:
        """Makes it ask every half a second, not every ten, how its replicas are."""
        with contextlib.suppress(RedisError):
            self.sentinel.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", "500")  # type: ignore[no-untyped-call]
            return True
        return False

    def knows_replica(self) -> bool:
        with contextlib.suppress(RedisError), self.replica.client as client:
            known = self.sentinel.execute_command("SENTINEL", "REPLICAS", "trips")  # type: ignore[no-untyped-call]
            return len(known) == 1 and client.info("replication")["master_link_status"] == "up"
        return False

    def replica_has_all(self) -> bool:
        """Replication is not awaited by anybody: what is on its way when a fail-over begins is lost."""
        with self.primary.client as primary, self.replica.client as replica:
            written = primary.info("replication")["master_repl_offset"]
            return bool(replica.info("replication")["slave_repl_offset"] >= written)

    def fails_over(self) -> bool:
        """Whether the Sentinel agrees to; it does not before it has looked at the replica."""
        with contextlib.suppress(RedisError):
            return bool(self.sentinel.execute_command("SENTINEL", "FAILOVER", "trips"))  # type: ignore[no-untyped-call]
        return False


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    port = free_port()
    with (
        redis_server(repl_diskless_sync_delay="0") as primary,
        redis_server(replicaof=f"127.0.0.1 {primary.port}") as replica,
    ):
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor trips 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds trips 60000\nsentinel failover-timeout trips 3000\n"
        )
        with sentinel_process(configuration), Redis(port=port) as client:
            started = Sentinels(primary, replica, client, port)
            wait_until(started.looks_often, "the Sentinel was there")
            wait_until(started.knows_replica, "the Sentinel knew the replica")
            yield started


@contextlib.contextmanager
def sentinel_process(configuration: Path) -> Iterator[None]:
    with configuration.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(["redis-server", str(configuration), "--sentinel"], stdout=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.asyncio
async def test_a_primary_that_sentinels_replace(sentinels: Sentinels) -> None:
    async with AsyncExitStack() as stack:
        nodes = Nodes(sentinels.url, stack)
        a, b = await nodes.start("a"), await nodes.start("b")
        writer = await a_document(a)
        reader = Reader().follow(b, writer.document)
        for _ in range(20):
            await writer.write()
        await eventually(lambda: len(reader.turns) == 20)
        await eventually(sentinels.replica_has_all)
        await eventually(sentinels.fails_over)
        successor = (Address("127.0.0.1", sentinels.replica.port),)
        await eventually(lambda: a._topology.primaries == b._topology.primaries == successor)
        for _ in range(20):
            await writer.write()
        stored = await b.load(writer.document)
        assert [logged.position for logged in stored.tail] == list(range(1, 41))
        await eventually(lambda: len(reader.turns) == 40 or reader.lost > 0)
        with sentinels.replica.client as client:
            assert client.xlen("tl:{trip}:log:trip") == 40
