"""Connections to Redis end when they are asked to, whatever happens at that moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.contract.writing import eventually

from threadline_server.backplane.redis import sentinels
from threadline_server.backplane.redis.endpoint import parse_endpoint
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.topology import Topology


class Swallowing:
    """Sentinels that answer just when their client is told to stop, and do not say so."""

    asked = False

    def __init__(self, hosts: object, sentinel_kwargs: object) -> None:
        self.sentinels: list[object] = []

    async def discover_master(self, name: str) -> tuple[str, int]:
        Swallowing.asked = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return "127.0.0.1", 1


async def keep(links: Links) -> None:
    async with asyncio.TaskGroup() as tasks:
        links.keep(tasks)
        links.want_refresh()


@pytest.mark.asyncio
async def test_a_cancellation_that_is_swallowed_ends_them_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinels, "Sentinel", Swallowing)
    links = Links(Topology(parse_endpoint("redis+sentinel://127.0.0.1:1/trips/0")), lambda link: None)
    running = asyncio.create_task(keep(links))
    await eventually(lambda: Swallowing.asked)
    links.let_go()
    running.cancel()
    await eventually(running.done)
