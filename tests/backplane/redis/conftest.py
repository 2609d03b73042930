"""One Redis for the tests that leave it whole; nodes on it that close with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.contract.redis_servers import RedisServer, redis_server

from threadline_server.backplane.base import Durability, NodeId
from threadline_server.backplane.objects import Objects
from threadline_server.backplane.redis import RedisBackplane


class Nodes:
    """Makes nodes of one deployment and closes them."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def start(
        self,
        name: str = "a",
        *,
        least: Durability | None = None,
        objects: Objects | None = None,
        start_s: float = 20.0,
    ) -> RedisBackplane:
        node = RedisBackplane(self.url, node=NodeId(name), least=least, objects=objects, start_s=start_s)
        await node.open()
        self._stack.push_async_callback(node.close)
        return node


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it."""
    with shared_redis.client as client:
        client.flushall()
        client.config_resetstat()
    return shared_redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    with redis_server() as server:
        yield server


@pytest_asyncio.fixture
async def nodes(redis: RedisServer) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        yield Nodes(redis.url, stack)


@pytest_asyncio.fixture
async def own_nodes(own_redis: RedisServer) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        yield Nodes(own_redis.url, stack)
