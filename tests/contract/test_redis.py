"""The contract, over one Redis and over a Cluster of three primaries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.contract.backplane_contract import BackplaneContract
from tests.contract.many_nodes_contract import ManyNodesContract
from tests.contract.redis_servers import RedisServer, redis_cluster, redis_server

from threadline_server.backplane.base import Backplane, NodeId
from threadline_server.backplane.redis import RedisBackplane

pytestmark = pytest.mark.redis


class RedisDeployment:
    many_nodes = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._nodes: dict[str, RedisBackplane] = {}

    async def node(self, name: str = "a") -> Backplane:
        if name in self._nodes:
            await self._nodes[name].close()
        node = self._nodes[name] = RedisBackplane(self._url, node=NodeId(name))
        await node.open()
        return node

    async def close(self) -> None:
        for node in self._nodes.values():
            await node.close()


class RedisContract(BackplaneContract, ManyNodesContract):
    @pytest_asyncio.fixture
    async def deployment(self, servers: list[RedisServer]) -> AsyncIterator[RedisDeployment]:
        for server in servers:
            with server.client as client:
                client.flushall()
        deployment = RedisDeployment(servers[0].url)
        yield deployment
        await deployment.close()


@pytest.fixture(scope="module")
def one_redis() -> Iterator[list[RedisServer]]:
    with redis_server() as server:
        yield [server]


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    with redis_cluster() as servers:
        yield servers


class TestOneRedis(RedisContract):
    @pytest.fixture
    def servers(self, one_redis: list[RedisServer]) -> list[RedisServer]:
        return one_redis


class TestCluster(RedisContract):
    @pytest.fixture
    def servers(self, cluster: list[RedisServer]) -> list[RedisServer]:
        return cluster
