"""A Redis in which sessions would not be safe is refused at the start, with what to change."""

from __future__ import annotations

import pytest
from redis import Redis
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer, redis_server
from tests.contract.writing import a_document

from threadline.errors import ConfigurationError
from threadline_server.backplane.base import Durability, NodeId
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.requirements import _check_version

pytestmark = pytest.mark.redis


async def start(url: str, least: Durability | None = None) -> Durability:
    node = RedisBackplane(url, node=NodeId("a"), least=least)
    await node.open()
    await node.close()
    return node.durability


def grant(client: Redis, *rules: str) -> None:
    client.execute_command("ACL", "SETUSER", "tl", *rules)  # type: ignore[no-untyped-call]


@pytest.mark.asyncio
async def test_the_durability_is_that_of_the_configuration(redis: RedisServer) -> None:
    assert await start(redis.url) is Durability.PROCESS
    with pytest.raises(ConfigurationError, match="appendfsync always"):
        await start(redis.url, Durability.FSYNC)
    with redis.client as client:
        client.config_set("appendfsync", "always")
        try:
            assert await start(redis.url, Durability.FSYNC) is Durability.FSYNC
        finally:
            client.config_set("appendfsync", "everysec")


@pytest.mark.asyncio
async def test_a_redis_that_keeps_nothing_needs_consent() -> None:
    with redis_server(appendonly="no") as server:
        with pytest.raises(ConfigurationError, match="--durability none"):
            await start(server.url)
        assert await start(server.url, Durability.NONE) is Durability.NONE


@pytest.mark.asyncio
async def test_a_redis_that_evicts_needs_consent(redis: RedisServer) -> None:
    with redis.client as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(ConfigurationError, match="noeviction"):
                await start(redis.url)
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.asyncio
async def test_a_replica_is_refused(redis: RedisServer) -> None:
    with (
        redis_server(replicaof=f"127.0.0.1 {redis.port}") as replica,
        pytest.raises(ConfigurationError, match="primary"),
    ):
        await start(replica.url)


@pytest.mark.asyncio
async def test_a_missing_right_is_named(redis: RedisServer) -> None:
    with redis.client as client:
        rules = ["+@all", "-@dangerous", "+info", "+config|get", "+cluster|slots"]
        grant(client, "on", ">pw", "~tl:*", "&tl:*", *rules)
        url = f"redis://tl:pw@127.0.0.1:{redis.port}/0"
        assert await start(url) is Durability.PROCESS
        grant(client, "-xadd")
        with pytest.raises(ConfigurationError, match="XADD"):
            await start(url)
        grant(client, "+xadd", "-config|get")
        with pytest.raises(ConfigurationError, match=r"ACL SETUSER"):
            await start(url)
        with pytest.raises(ConfigurationError, match="user and password"):
            await start(f"redis://tl:wrong@127.0.0.1:{redis.port}/0")


def test_an_old_version_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"6\.2\.14"):
        _check_version(Address("h", 1), "6.2.14")
    _check_version(Address("h", 1), "7.0.0")
    _check_version(Address("h", 1), "10.1.0")


@pytest.mark.asyncio
async def test_another_database_number_is_used(redis: RedisServer) -> None:
    node = RedisBackplane(f"redis://127.0.0.1:{redis.port}/3", node=NodeId("a"))
    await node.open()
    await (await a_document(node)).write()
    await node.close()
    with redis.client as client:
        assert client.dbsize() == 0


@pytest.mark.asyncio
async def test_fsync_durability_needs_no_question(nodes: Nodes, redis: RedisServer) -> None:
    with redis.client as client:
        client.config_set("appendfsync", "always")
        try:
            writer = await a_document(await nodes.start("a"))
            assert [await writer.write() for _ in range(3)] == [1, 2, 3]
        finally:
            client.config_set("appendfsync", "everysec")
