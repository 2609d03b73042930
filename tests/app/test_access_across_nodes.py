"""What is taken back on one node ends on the other, by the same Redis."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.app.conftest import api_of, device_of, ended, guarded_node
from tests.contract.redis_servers import RedisServer, redis_server

from threadline_server.app import RunningServer

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def two_nodes(redis: RedisServer) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    async with guarded_node(None, redis=redis.url) as one, guarded_node(None, redis=redis.url) as two:
        yield one, two


@pytest.mark.asyncio
async def test_a_member_of_another_node_is_out_within_moments(redis: RedisServer) -> None:
    async with two_nodes(redis) as (one, two), api_of(one, "ada") as ada:
        await ada.post("/api/v1/sessions", json={"id": "trip"})
        for user in ("bob", "cara"):
            await ada.put(f"/api/v1/sessions/trip/members/{user}", json={"role": "editor"})
        async with device_of(two, "trip", "bob") as bob, device_of(two, "trip", "cara", jti="t") as cara:
            began_s = time.monotonic()
            await ada.delete("/api/v1/sessions/trip/members/bob")
            assert await ended(bob) == "forbidden"
            print(f"a revoked member was out after {time.monotonic() - began_s:.2f} s")
            assert cara.document_closed is None
            began_s = time.monotonic()
            async with api_of(one, "cara") as herself:
                await herself.post("/api/v1/revocations", json={"subject": "user", "name": "cara"})
            assert await ended(cara) == "unauthorized"
            print(f"a revoked user was out after {time.monotonic() - began_s:.2f} s")


@pytest.mark.asyncio
async def test_a_ticket_and_an_invitation_count_on_all_nodes_together(redis: RedisServer) -> None:
    async with two_nodes(redis) as (one, two):
        async with api_of(one, "ada") as ada:
            await ada.post("/api/v1/sessions", json={"id": "shared"})
            made = (await ada.post("/api/v1/sessions/shared/invitations", json={"uses": 1})).json()
        answers = []
        for node, user in ((one, "bob"), (two, "cara")):
            async with api_of(node, user) as client:
                answer = await client.post("/api/v1/invitations/accept", json={"code": made["code"]})
                answers.append(answer.status_code)
        assert answers == [200, 403]
