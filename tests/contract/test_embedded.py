"""The contract, over the embedded backplane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.contract.backplane_contract import BackplaneContract

from threadline_server.backplane.base import Backplane
from threadline_server.backplane.embedded import EmbeddedBackplane


class EmbeddedDeployment:
    many_nodes = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._node: EmbeddedBackplane | None = None

    async def node(self, name: str = "a") -> Backplane:
        await self.close()
        self._node = EmbeddedBackplane(self._directory)
        await self._node.open()
        return self._node

    async def close(self) -> None:
        if self._node is not None:
            await self._node.close()


class TestEmbedded(BackplaneContract):
    @pytest_asyncio.fixture
    async def deployment(self, tmp_path: Path) -> AsyncIterator[EmbeddedDeployment]:
        deployment = EmbeddedDeployment(tmp_path / "data")
        yield deployment
        await deployment.close()
