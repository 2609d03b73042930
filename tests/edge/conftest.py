from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.edge.sync_server import SyncServer, sync_server


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[SyncServer]:
    async with sync_server(tmp_path) as server:
        yield server
