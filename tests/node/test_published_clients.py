"""Unmodified `y-websocket` 3.1.0 and `@hocuspocus/provider` 4.8.0 against a real node."""

from __future__ import annotations

import pytest
from tests.node.node_devices import Node


@pytest.mark.asyncio
async def test_both_dialects_edit_one_session(node: Node) -> None:
    ada = await node.hocuspocus("ada", "trip", "ada")
    bob = await node.ywebsocket("bob", "trip", "bob")
    await ada.until_saved()
    await bob.until_synced()
    await ada.set("/city", "Berlin")
    await bob.until("d.state['/city'] === 'Berlin'")
    await bob.set("/nights", 3)
    await ada.until("d.state['/nights'] === 3")
    await ada.until_saved()
