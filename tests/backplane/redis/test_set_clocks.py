"""Leases in a Redis whose clock is set: their ends are moved instead, which is the same seen from there."""

from __future__ import annotations

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.redis_servers import RedisServer
from tests.contract.writing import a_document, eventually_true

from threadline.ids import SessionId
from threadline_server.backplane.redis.keys import session_keys

DAY_MS = 86_400_000
TRIP = SessionId("trip")

pytestmark = pytest.mark.redis


def move_end(redis: RedisServer, by_ms: int) -> None:
    key = session_keys(TRIP).session
    with redis.client as client:
        until = client.hget(key, "until")
        assert until is not None
        client.hset(key, "until", str(int(until) + by_ms))


@pytest.mark.asyncio
async def test_a_clock_set_ahead_takes_no_lease_from_who_renews_it(redis: RedisServer, nodes: Nodes) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    await a_document(a)
    lease = await a.acquire_lease(TRIP, "worker-1", 60_000)
    assert lease is not None
    move_end(redis, -DAY_MS)
    assert await b.acquire_lease(TRIP, "worker-2", 60_000) is None
    assert await b.acquire_lease(TRIP, "worker-2", 60_000) is None
    assert await a.renew_lease(lease, 60_000) is not None


@pytest.mark.asyncio
@pytest.mark.parametrize("by_ms", [DAY_MS, -DAY_MS])
async def test_who_is_gone_keeps_a_lease_no_longer_because_the_clock_was_set(
    by_ms: int, redis: RedisServer, nodes: Nodes
) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    await a_document(a)
    assert await a.acquire_lease(TRIP, "worker-1", 60_000) is not None
    move_end(redis, by_ms)

    async def b_gets_it() -> bool:
        return await b.acquire_lease(TRIP, "worker-2", 30) is not None

    await eventually_true(b_gets_it)
