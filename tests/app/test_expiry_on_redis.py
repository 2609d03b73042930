"""Sessions that nobody uses go, with everything that Redis had of them; use moves their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import raw_device
from tests.waiting import wait_until

from threadline_server.app import running_server
from threadline_server.settings import load

PATIENCE_S = 30.0
TOMBSTONE = "tl:{left}:session"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def keys_of(redis: RedisServer, session: str) -> set[str]:
    with redis.client as client:
        found: set[str] = {key.decode() for key in client.scan_iter(f"tl:{{{session}}}*")}
    return found


@pytest.mark.row("S1-30")
@pytest.mark.redis
@pytest.mark.asyncio
async def test_idle_sessions_leave_nothing_and_use_keeps_them(redis: RedisServer) -> None:
    """Expiry is of sessions, not of keys: a key that ends by itself would tear a log from its base."""
    flags = {"port": 0, "redis": redis.url, "expire_after_s": 3.0, "upkeep_every_s": 0.05, "grace_s": 0.1}
    async with (
        running_server(load(flags, {})) as server,
        httpx.AsyncClient(base_url=server.url, headers={"Authorization": "Bearer ada"}) as http,
        asyncio.timeout(PATIENCE_S),
    ):
        for session in ("left", "used"):
            async with raw_device(server.url, session, "ada") as device:
                await device.set("/city", "Berlin")
                await device.until_saved()
        assert len(keys_of(redis, "left")) > 2
        touches = 0
        while (await http.get("/api/v1/sessions/left")).status_code != 410:
            async with raw_device(server.url, "used", "ada") as device:
                touches += 1
                await device.set("/touches", touches)
                await device.until_saved()
        assert touches > 1
        assert (await http.get("/api/v1/sessions/used")).status_code == 200
        await asyncio.to_thread(
            wait_until, lambda: keys_of(redis, "left") == {TOMBSTONE}, "its keys were gone"
        )
        with redis.client as client:
            assert set(client.hkeys(TOMBSTONE)) <= {b"deleted", b"lineage"}
