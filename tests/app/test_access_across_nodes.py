"""What is taken back on one node ends on the other, by the same Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.app.conftest import api_of, device_of, ended, guarded_node
from tests.app.test_device_links import claimed_by, exchanged
from tests.contract.redis_servers import RedisServer, redis_server
from tests.raw_device import RawDevice

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
async def test_a_member_of_another_node_is_out_within_moments(
    redis: RedisServer, figures: Callable[[str], None]
) -> None:
    async with two_nodes(redis) as (one, two), api_of(one, "ada") as ada:
        await ada.post("/api/v1/sessions", json={"id": "trip"})
        for user in ("bob", "cara"):
            await ada.put(f"/api/v1/sessions/trip/members/{user}", json={"role": "editor"})
        async with device_of(two, "trip", "bob") as bob, device_of(two, "trip", "cara", jti="t") as cara:
            began_s = time.monotonic()
            await ada.delete("/api/v1/sessions/trip/members/bob")
            assert await ended(bob) == "forbidden"
            figures(f"a removed member was out on another node after {time.monotonic() - began_s:.2f} s")
            assert cara.document_closed is None
            began_s = time.monotonic()
            async with api_of(one, "cara") as herself:
                await herself.post("/api/v1/revocations", json={"subject": "user", "name": "cara"})
            assert await ended(cara) == "unauthorized"
            figures(f"a revoked user was out on another node after {time.monotonic() - began_s:.2f} s")


@pytest.mark.asyncio
async def test_a_device_is_linked_and_signed_off_across_nodes(
    redis: RedisServer, figures: Callable[[str], None]
) -> None:
    async with two_nodes(redis) as (one, two), api_of(one, "ada") as here, api_of(two, "ada") as there:
        made = (await here.post("/api/v1/device-links", json={})).json()
        claimed = await asyncio.gather(
            *(claimed_by(node, made["code"], "Pixel 9") for node in (one, two) for _ in range(2))
        )
        (claim,) = [answer.json()["claim"] for answer in claimed if answer.status_code == 200]
        assert (await there.post(f"/api/v1/device-links/{made['id']}/confirm")).status_code == 200
        found = await asyncio.gather(*(exchanged(node, claim) for node in (one, two) for _ in range(2)))
        (token,) = [answer.json()["token"] for answer in found if answer.status_code == 200]
        phone = RawDevice("linked", "ada", token=token)
        await phone.join(two.url)
        await phone.until_synced()
        (key,) = (await here.get("/api/v1/keys")).json()["keys"]
        began_s = time.monotonic()
        assert (await here.delete(f"/api/v1/keys/{key['id']}")).status_code == 204
        assert await ended(phone) == "unauthorized"
        figures(f"a signed off device was out on another node after {time.monotonic() - began_s:.2f} s")
        await phone.leave()


@pytest.mark.asyncio
async def test_guesses_of_codes_are_counted_on_all_nodes_together(redis: RedisServer) -> None:
    async with two_nodes(redis) as (one, two):
        tried = [await claimed_by(node, "2222-2222-2222") for _ in range(8) for node in (one, two)]
        statuses = [answer.status_code for answer in tried]
        assert statuses.count(401) <= 10
        assert statuses[-1] == 429


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
