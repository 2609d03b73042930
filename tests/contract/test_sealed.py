"""The contract, over encrypted stores: what a backplane promises does not depend on what it can read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contract.backplane_contract import BackplaneContract
from tests.contract.many_nodes_contract import ManyNodesContract
from tests.contract.redis_servers import RedisServer, redis_server

from threadline_server.backplane.base import Backplane, NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.master_keys import MasterKeys, new_line, parse_master_keys
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.sealed import SealedBackplane


class SealedDeployment:
    """Nodes around `inner(name)`, which share their master keys."""

    def __init__(self) -> None:
        self._keys: MasterKeys = parse_master_keys(new_line(), "the test")
        self._nodes: dict[str, SealedBackplane] = {}

    def inner(self, name: str) -> Backplane:
        raise NotImplementedError

    async def node(self, name: str = "a") -> Backplane:
        if name in self._nodes:
            await self._nodes[name].close()
        node = self._nodes[name] = SealedBackplane(self.inner(name), self._keys)
        await node.open()
        return node

    async def close(self) -> None:
        for node in self._nodes.values():
            await node.close()


class SealedEmbedded(SealedDeployment):
    many_nodes = False

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def inner(self, name: str) -> Backplane:
        return EmbeddedBackplane(self._directory)


class SealedRedis(SealedDeployment):
    many_nodes = True

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def inner(self, name: str) -> Backplane:
        return RedisBackplane(self._url, node=NodeId(name))


class TestSealedEmbedded(BackplaneContract):
    @pytest_asyncio.fixture
    async def deployment(self, tmp_path: Path) -> AsyncIterator[SealedEmbedded]:
        deployment = SealedEmbedded(tmp_path / "data")
        yield deployment
        await deployment.close()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.mark.redis
class TestSealedRedis(BackplaneContract, ManyNodesContract):
    @pytest_asyncio.fixture
    async def deployment(self, redis: RedisServer) -> AsyncIterator[SealedRedis]:
        with redis.client as client:
            client.flushall()
        deployment = SealedRedis(redis.url)
        yield deployment
        await deployment.close()
