"""Two nodes on one Redis: an environment in front of each, and a user with a device at each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from examples.conversations.__main__ import AGENTS
from examples.counter_environment.agent import Rollout
from examples.counter_environment.counter import StatefulCounter
from examples.hosting import hosted
from tests.contract.redis_servers import RedisServer, redis_server
from tests.examples.conftest import Serve
from tests.examples.running import becomes

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
        apps = [environment_app(StatefulCounter(), node) for node in nodes]
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


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def keys_of(redis: RedisServer, session: str) -> list[str]:
    with redis.client as client:
        return [key.decode() for key in client.scan_iter(match=f"tl:{{{session}}}*")]


@pytest.mark.asyncio
@pytest.mark.row("S0-6")
async def test_a_deleted_rollout_leaves_only_that_it_was_deleted(
    redis: RedisServer, threadline_at: Serve, http: httpx.AsyncClient
) -> None:
    """The one key that stays keeps a device with an old copy from bringing the rollout back."""
    async with (
        threadline_at(redis=redis.url) as node,
        hosted(environment_app(StatefulCounter(), node)) as url,
    ):
        rollout = Rollout(http, url)
        await rollout.seed({"initial_count": 3, "expected_count": 10})
        ((name, value),) = rollout.cookies.items()
        session = value.split(".")[0]
        assert f"tl:{{{session}}}:log:{session}" in keys_of(redis, session)
        answer = await http.delete(f"{url}/session", headers={"cookie": f"{name}={value}"})
        assert answer.json() == {"status": "cleared"}
        assert keys_of(redis, session) == [f"tl:{{{session}}}:session"]
        with redis.client as client:
            assert client.hkeys(f"tl:{{{session}}}:session") == [b"deleted"]


@pytest.mark.asyncio
@pytest.mark.row("S1-30", "S1-29")
async def test_idle_sessions_are_gone_from_redis_and_those_in_use_stay(
    redis: RedisServer, threadline_at: Serve
) -> None:
    options = {"redis": redis.url, "expire_after_s": 1.0, "upkeep_every_s": 0.05, "grace_s": 0.05}
    async with threadline_at(**options) as node, threadline.connect(node, token="ada") as client:
        for name in ("idle", "used"):
            session = await client.open(name)
            session["k"] = name
            await session.saved(20)
            await session.close()

        async def is_gone() -> bool:
            used = await client.open("used")
            used.counters.add("touched", 1)
            await used.saved(20)
            await used.close()
            return keys_of(redis, "idle") == ["tl:{idle}:session"]

        await becomes(is_gone)
        assert (await client.open("used", create=False))["k"] == "used"
        with pytest.raises(threadline.SessionDeleted):
            await client.open("idle", create=False)
