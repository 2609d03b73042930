"""Two nodes on one Redis: what devices see that write through both, change between them, or lose Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.contract.redis_servers import RedisServer, redis_server
from tests.faults.teller import answer_to
from tests.raw_device import RawDevice

import threadline
from threadline.backoff import Backoff
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument
from threadline.ids import new_entry_id
from threadline.live_session import LiveSession
from threadline.saved import Saved
from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load

TELLER = ("tests.faults.teller:agent",)
ADDS = 500
DEVICES = 10
PATIENCE_S = 30.0

pytestmark = pytest.mark.redis


@asynccontextmanager
async def node(redis: RedisServer, **flags: object) -> AsyncIterator[RunningServer]:
    async with running_server(load({"port": 0, "redis": redis.url, **flags}, {})) as server:
        yield server


@asynccontextmanager
async def device(server: RunningServer, user: str) -> AsyncIterator[LiveSession]:
    back = Backoff(first_s=0.01, most_s=0.1)
    async with threadline.connect(server.url, token=user, backoff=back) as client:
        session = await client.open("trip")
        assert isinstance(session, LiveSession)
        yield session


async def until_ready(server: RunningServer, ready: bool) -> dict[str, bool]:
    """The checks of `/readyz`, once it says so."""
    async with httpx.AsyncClient(base_url=server.url) as client, asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.get("/readyz")
            if (answer.status_code == 200) == ready:
                checks: dict[str, bool] = answer.json()["checks"]
                return checks


@pytest.mark.asyncio
async def test_five_hundred_adds_through_two_nodes_make_five_hundred() -> None:
    with redis_server() as redis:
        async with node(redis) as a, node(redis) as b, asyncio.TaskGroup() as group:
            for number in range(DEVICES):
                group.create_task(_add(a if number % 2 else b, f"user-{number}"))


async def _add(server: RunningServer, user: str) -> None:
    """Add a share, and stay until the sum of everybody's is seen."""
    async with device(server, user) as session, asyncio.timeout(PATIENCE_S):
        for _ in range(ADDS // DEVICES):
            session.counters.add("views", 1)
            await asyncio.sleep(0)
        await session.until(lambda: session.counters["views"] == ADDS)
        await session.saved()


def text_of_answer(view: SessionDocument, run: str) -> str:
    return "".join(message.text for message in view.messages if message.run == run)


@pytest.mark.asyncio
async def test_a_device_that_changes_nodes_in_mid_answer_sees_the_rest_once() -> None:
    with redis_server() as redis:
        async with node(redis, agent=TELLER) as a, node(redis) as b:
            ada = RawDevice("trip", "ada")
            view = SessionDocument(ada.doc)
            await ada.join(a.url)
            await ada.until_synced()
            message, run = await ada.say("tell me"), str(new_entry_id("ada"))
            view.intents.add(RunIntent(id=run, message=message))
            await ada.flush()
            await ada.until(lambda: len(text_of_answer(view, run)) > 20, "the answer began")
            await ada.abandon()
            seen = text_of_answer(view, run)
            whole = answer_to("tell me")
            assert whole.startswith(seen)
            assert seen != whole

            pieces: list[str] = []
            ada.on_frame = lambda: pieces.append(text_of_answer(view, run))
            await ada.join(b.url)
            await ada.until(lambda: view.runs.status(run) is RunStatus.COMPLETED, "the answer ended")
            await ada.until(lambda: text_of_answer(view, run) == whole, "all of it came")
            await ada.leave()
            assert all(whole.startswith(piece) and piece.startswith(seen) for piece in pieces)
            assert pieces == sorted(pieces, key=len)


@pytest.mark.asyncio
async def test_while_redis_is_away_devices_wait_to_be_saved_and_recover_by_themselves() -> None:
    with redis_server() as redis:
        async with node(redis) as a, node(redis) as b, device(a, "ada") as ada, device(b, "bob") as bob:
            ada["before"] = 1
            await ada.saved()
            assert ada.saved_word == Saved("saved", 0)
            assert (await until_ready(a, True))["store"]
            redis.kill()
            assert not (await until_ready(a, False))["store"]
            ada["meanwhile"] = 2
            async with httpx.AsyncClient(base_url=a.url) as client:
                assert (await client.get("/livez")).status_code == 200
            assert ada.saved_word == Saved("saving", 1)
            assert ada.is_live
            await asyncio.to_thread(redis.start)
            async with asyncio.timeout(PATIENCE_S):
                await ada.saved()
                assert ada.saved_word == Saved("saved", 0)
                await bob.until(lambda: "meanwhile" in bob)
            await until_ready(a, True)
            await until_ready(b, True)
