"""Small values beside sessions."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.writing import Deployment, eventually_true


class LedgerContract:
    """Small values beside sessions."""

    @pytest.mark.asyncio
    async def test_a_value_is_there_until_it_is_swapped_for_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        assert await node.get_value("ticket", "a") is None
        assert await node.swap_value("ticket", "a", None, b"\x00 one \xff")
        assert await node.get_value("ticket", "a") == b"\x00 one \xff"
        assert await node.get_value("other", "a") is None
        assert not await node.swap_value("ticket", "a", None, b"two")
        assert not await node.swap_value("ticket", "a", b"two", None)
        assert await node.swap_value("ticket", "a", b"\x00 one \xff", b"")
        assert await node.get_value("ticket", "a") == b""
        assert await node.swap_value("ticket", "a", b"", None)
        assert await node.get_value("ticket", "a") is None

    @pytest.mark.asyncio
    async def test_of_many_that_take_a_value_one_gets_it(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("ticket", "a", None, b"once")
        taken = await asyncio.gather(*(node.swap_value("ticket", "a", b"once", None) for _ in range(10)))
        assert sum(taken) == 1

    @pytest.mark.asyncio
    async def test_a_value_ends_by_itself(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("ticket", "a", None, b"short", 50)
        await node.swap_value("ticket", "b", None, b"long", 60_000)
        await node.swap_value("ticket", "c", None, b"for ever")

        async def ended() -> bool:
            return await node.get_value("ticket", "a") is None

        await eventually_true(ended)
        assert await node.list_values("ticket") == {"b": b"long", "c": b"for ever"}
        lives = await node.list_lives("ticket")
        assert lives.keys() == {"b", "c"}
        assert 0 < lives["b"] <= 60_000
        assert lives["c"] == 0
        assert await node.swap_value("ticket", "a", None, b"again")

    @pytest.mark.asyncio
    async def test_values_outlive_a_restart(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("key", "a", None, b"kept")
        node = await deployment.node()
        assert await node.get_value("key", "a") == b"kept"
