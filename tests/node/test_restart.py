"""Published clients and a server process that stops, is killed, and comes back on its address."""

from __future__ import annotations

import pytest
from tests.node.node_devices import node_devices
from tests.server_process import ServerProcess


async def start_again(server: ServerProcess) -> None:
    """On the same port, since clients come back to the address they know."""
    port = server.url.rpartition(":")[2]
    server.arguments = (*server.arguments, "--port", port)  # the later one holds
    await server.start()


@pytest.mark.asyncio
async def test_what_was_saved_survives_a_kill(process: ServerProcess) -> None:
    async with node_devices(process.url) as node:
        ada = await node.hocuspocus("ada", "trip", "ada")
        bob = await node.ywebsocket("bob", "trip", "bob")
        await ada.until_saved()
        await bob.until_synced()
        await ada.set("/saved", 1)
        await ada.until_saved()
        await process.kill()
        await ada.until("d.events.includes('status disconnected')")
        await bob.until("d.events.includes('status disconnected')")
        await ada.set("/ada offline", 2)
        await bob.set("/bob offline", 3)
        await start_again(process)
        for device in (ada, bob):
            await device.until("d.synced && d.state['/ada offline'] === 2 && d.state['/bob offline'] === 3")
        await ada.until_saved()
        await process.kill()
        await start_again(process)
    async with node_devices(process.url) as fresh:
        reader = await fresh.hocuspocus("reader", "trip", "eve")
        await reader.until("d.state['/saved'] === 1 && d.state['/bob offline'] === 3")


@pytest.mark.asyncio
async def test_a_stopping_server_asks_to_come_back(process: ServerProcess) -> None:
    async with node_devices(process.url) as node:
        bob = await node.ywebsocket("bob", "trip", "bob")
        ada = await node.hocuspocus("ada", "trip", "ada")
        await bob.until_synced()
        await ada.until_saved()
        assert await process.stop() == 0
        await bob.until("d.events.includes('close 1012')")
        assert await bob.read("d.provider.shouldConnect") is True
        await start_again(process)
        await bob.until("d.synced")
        await ada.until("d.events.filter((event) => event === 'status connected').length > 2 && d.synced")
