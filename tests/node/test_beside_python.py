"""The published clients and the Python client in one session."""

from __future__ import annotations

import json

import pytest
from pycrdt import Map
from tests.node.node_devices import node_devices
from tests.server_process import ServerProcess

import threadline


@pytest.mark.asyncio
async def test_all_three_hold_the_same_whoever_wrote_it_and_was_away(process: ServerProcess) -> None:
    async with (
        node_devices(process.url) as node,
        threadline.connect(process.url, token="cleo") as client,
    ):
        ada = await node.hocuspocus("ada", "trip", "ada")
        bob = await node.ywebsocket("bob", "trip", "bob")
        await ada.until_saved()
        await bob.until_synced()
        cleo = await client.open("trip")
        words = cleo.add_message("user", "Héllo 🏨")
        cleo["by cleo"] = {"nights": 3}
        await ada.set("/by ada", "Berlin")
        await bob.set("/by bob", 2)
        for device in (ada, bob):
            await device.until("d.state['/by ada'] && d.state['/by bob'] && d.state['/by cleo/nights']")
            await device.until(
                f"d.messages['{words.id}']?.seq && d.messages['{words.id}'].text === 'Héllo 🏨'"
            )

        await bob.do("disconnect")
        await bob.set("/while away", "kept")
        cleo["meanwhile"] = [1, "two"]
        await bob.do("connect")
        await ada.until("d.state['/while away'] === 'kept'")
        async with threadline.connect(process.url, token="eve") as other:
            eve = await other.open("trip")
            await eve.until(lambda: "while away" in eve and "meanwhile" in eve)
            await cleo.until(lambda: "while away" in cleo)
            await cleo.saved()
            await ada.until_saved()
            for session in (cleo, eve):
                root: Map[object] = session.document.doc.get("state", type=Map)
                raw = json.dumps(root.to_py())
                for device in (ada, bob):
                    await device.until(
                        f"Object.entries({raw}).every(([key, value]) => "
                        "JSON.stringify(d.state[key]) === JSON.stringify(value))"
                    )
                    assert await device.read("d.state") == json.loads(raw)
            assert cleo.document.digest() == eve.document.digest()
