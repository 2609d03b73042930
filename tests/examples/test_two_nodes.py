"""Two nodes on one Redis: an environment in front of each, and a user with a device at each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from examples.conversations.__main__ import AGENTS
from examples.counter_environment.agent import Rollout
from examples.counter_environment.counter import StatefulCounter
from examples.hosting import hosted
from tests.contract.redis_servers import redis_server
from tests.examples.conftest import Serve

import threadline
from threadline.environment import environment_app

pytestmark = pytest.mark.redis


@pytest_asyncio.fixture
async def nodes(threadline_at: Serve) -> AsyncIterator[list[str]]:
    """The URLs of two nodes."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        options = {"redis": redis.url, "agent": AGENTS}
        yield [await stack.enter_async_context(threadline_at(**options)) for _ in range(2)]


@pytest.mark.asyncio
@pytest.mark.row("S0-15", "S0-23", "S0-6")
async def test_calls_at_both_nodes_read_what_they_wrote(nodes: list[str], http: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        apps = [environment_app(StatefulCounter(), node, sockets=1) for node in nodes]
        urls = [await stack.enter_async_context(hosted(app)) for app in apps]
        rollout = Rollout(http, urls[0])
        await rollout.seed({"initial_count": 0, "expected_count": 10})
        for step in range(1, 11):
            rollout._url = urls[step % 2]
            await rollout.post("/increment_counter", {"count": 1})
            rollout._url = urls[(step + 1) % 2]
            assert (await rollout.post("/get_counter_value")).json() == {"count": step}
        (cookie,) = rollout.cookies.values()
        async with threadline.connect(nodes[1], token="environment") as client:
            await client.sessions.delete(cookie.split(".")[0])
        assert (await rollout.post("/get_counter_value")).json() == {"count": 0}


@pytest.mark.asyncio
@pytest.mark.row("S1-15")
async def test_the_phone_asks_at_one_node_and_the_laptop_goes_on_at_the_other(nodes: list[str]) -> None:
    async with AsyncExitStack() as stack:
        sessions = []
        for node, device in zip(nodes, ("phone", "laptop"), strict=True):
            client = threadline.connect(node, token="harsh", device=device)
            sessions.append(await (await stack.enter_async_context(client)).open("trip"))
        phone, laptop = sessions
        async with asyncio.timeout(60):
            await (await phone.send("Find hotels in Berlin", agent="hotels")).wait()
            await laptop.until(lambda: len(laptop.messages) == 2 and "Berlin" in laptop.messages[1].text)
            result = await (await laptop.send("Under $150 a night", agent="hotels")).result()
            assert "in Berlin under $150 a night" in result.output
            await phone.until(lambda: phone.document.digest() == laptop.document.digest())
        assert len(phone.get_history()) == 4
