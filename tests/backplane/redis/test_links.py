"""Connections to Redis end when they are asked to, whatever happens at that moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.contract.writing import eventually

from threadline_server.backplane.redis.endpoint import parse_endpoint
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.topology import Topology


class Swallowing(Topology):
    """Asks somebody who answers just when he is told to stop, and does not say so."""

    def __init__(self) -> None:
        super().__init__(parse_endpoint("redis+sentinel://127.0.0.1:1/trips/0"))
        self.asked = False

    async def refresh(self) -> None:
        self.asked = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()


@pytest.mark.asyncio
async def test_a_cancellation_that_is_swallowed_ends_them_still() -> None:
    topology = Swallowing()
    links = Links(topology, lambda link: None)
    running = asyncio.create_task(links.run())
    links.want_refresh()
    await eventually(lambda: topology.asked)
    running.cancel()
    await eventually(running.done)
