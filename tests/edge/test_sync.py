"""Both dialects on a real node, byte by byte where the order matters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.edge.sync_server import SyncServer, sync_server
from tests.raw_device import raw_device, until_equal


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[SyncServer]:
    async with sync_server(tmp_path) as server:
        yield server


@pytest.mark.asyncio
async def test_two_devices(server: SyncServer) -> None:
    async with raw_device(server.url, "trip", "ada") as ada, raw_device(server.url, "trip", "bob") as bob:
        message = await ada.say("hello")
        await ada.until_saved()
        await bob.until(lambda: message in bob.messages, "the message came")
        await bob.set("/city", "Berlin")
        await bob.until_saved()
        await until_equal(ada, bob)
