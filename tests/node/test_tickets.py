"""`y-websocket` as published where people are known by tokens: its address carries a fresh ticket."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.app.conftest import device_of, guarded_node
from tests.node.node_devices import node_devices
from tests.signing import token_of


@pytest.mark.asyncio
async def test_a_client_of_addresses_comes_back_with_fresh_tickets(
    published_clients: None, tmp_path: Path
) -> None:
    async with (
        guarded_node(tmp_path) as server,
        node_devices(server.url) as node,
        device_of(server, "trip", "ada") as ada,
    ):
        tickets = {"api": f"{server.url}/api/v1", "token": token_of("ada")}
        tablet = await node.ywebsocket("tablet", "trip", tickets=tickets)
        await tablet.until_synced()
        await tablet.set("/city", "Berlin")
        await ada.until(lambda: ada.state.get("/city") == "Berlin")
        await tablet.do("drop")
        await tablet.until("d.events.includes('close 1006')")
        await tablet.set("/nights", 3)
        await ada.until(lambda: ada.state.get("/nights") == 3)
        await tablet.until_synced()


@pytest.mark.asyncio
async def test_a_token_in_an_address_stops_the_client_for_good(
    published_clients: None, tmp_path: Path
) -> None:
    async with guarded_node(tmp_path) as server, node_devices(server.url) as node:
        tablet = await node.ywebsocket("tablet", "trip", token_of("ada"))
        await tablet.until("d.closed?.code === 4401")
