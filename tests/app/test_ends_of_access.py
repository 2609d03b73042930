"""What is open with a right that was taken back: streams and requests end as sockets do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.app.conftest import api_of, guarded_node
from tests.app.test_access import session_with
from tests.raw_device import PATIENCE_S
from tests.signing import token_of

from threadline_server.app import RunningServer

TakeBack = Callable[[RunningServer, httpx.AsyncClient], Awaitable[httpx.Response]]


async def remove_member(server: RunningServer, owner: httpx.AsyncClient) -> httpx.Response:
    return await owner.delete("/api/v1/sessions/trip/members/bob")


async def revoke_token(server: RunningServer, owner: httpx.AsyncClient) -> httpx.Response:
    async with api_of(server, "bob", token_of("bob", jti="t-1")) as bob:
        return await bob.post("/api/v1/revocations", json={"subject": "token", "name": "t-1"})


@asynccontextmanager
async def stream_of_a_run(server: RunningServer, token: str) -> AsyncIterator[httpx.Response]:
    """Events of a run that nobody executes: without an end the stream goes on."""
    async with api_of(server, "bob", token) as bob:
        await bob.post("/api/v1/sessions/trip/runs", json={"goal": "wait"})
        async with bob.stream("GET", "/api/v1/sessions/trip/stream", timeout=None) as answer:
            assert answer.status_code == 200
            yield answer


@pytest.mark.asyncio
@pytest.mark.parametrize(("take_back", "then"), [(remove_member, 403), (revoke_token, 401)])
async def test_an_event_stream_ends_and_requests_are_refused(
    tmp_path: Path, take_back: TakeBack, then: int
) -> None:
    token = token_of("bob", jti="t-1", iat=int(time.time()) - 5)
    async with guarded_node(tmp_path) as server, api_of(server, "ada") as ada:
        await session_with(server, bob="editor")
        async with stream_of_a_run(server, token) as stream, asyncio.timeout(PATIENCE_S):
            assert (await take_back(server, ada)).status_code == 204
            assert b"done" not in await stream.aread()
        async with api_of(server, "bob", token) as bob:
            assert (await bob.get("/api/v1/sessions/trip")).status_code == then
            assert (await bob.get("/api/v1/sessions/trip/stream")).status_code == then
        assert len(server.node.streams) == 0


@pytest.mark.asyncio
async def test_an_event_stream_ends_with_its_token(tmp_path: Path) -> None:
    async with guarded_node(tmp_path) as server:
        await session_with(server, bob="editor")
        token = token_of("bob", exp=int(time.time()) + 2)
        async with stream_of_a_run(server, token) as stream, asyncio.timeout(PATIENCE_S):
            assert b"done" not in await stream.aread()
