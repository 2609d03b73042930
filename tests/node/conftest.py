from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.edge.sync_server import SyncServer, sync_server
from tests.node.node_devices import HERE, Node, node_devices
from tests.server_process import ServerProcess, server_process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.node)


@pytest.fixture(scope="session")
def published_clients() -> None:
    """Skips where there is no Node, or `npm ci` has not been run in tests/node (`make test` does)."""
    if shutil.which("node") is None:
        pytest.skip("node is not on the PATH")
    if not (HERE / "node_modules").is_dir():
        pytest.skip("run `npm ci` in tests/node first")


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[SyncServer]:
    async with sync_server(tmp_path) as server:
        yield server


@pytest_asyncio.fixture
async def node(published_clients: None, server: SyncServer) -> AsyncIterator[Node]:
    async with node_devices(server.url) as node:
        yield node


@pytest_asyncio.fixture
async def process(published_clients: None, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with server_process(tmp_path / "data") as process:
        yield process
