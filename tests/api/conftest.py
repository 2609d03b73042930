"""A node whose agent does as it is told, and people who talk to it over HTTP and with the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

import threadline
from threadline.client import Client
from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load

SESSIONS = "/api/v1/sessions"
PATIENCE_S = 20.0


class Api:
    """Ada's HTTP client of a node."""

    def __init__(self, server: RunningServer, http: httpx.AsyncClient) -> None:
        self.server = server
        self.http = http

    async def session(self, session: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"{SESSIONS}/{session}")).raise_for_status().json()
        return found

    async def becomes(self, session: str, status: str) -> dict[str, Any]:
        """The session, once its latest run is in this state."""

        async def so() -> bool:
            return bool((await self.session(session))["status"] == status)

        await eventually(so)
        return await self.session(session)

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)

    def connect(self, user: str = "ada") -> Client:
        return threadline.connect(self.server.url, token=user)


@asynccontextmanager
async def an_api(
    data: Path, agents: tuple[str, ...] = ("tests.api.obedient_agent:agent",), **flags: object
) -> AsyncIterator[Api]:
    """`agents` are named as settings name them; none work where there are none."""
    settings = load({"port": 0, "data": data, "agent": agents, "stop_grace_s": 0.1, **flags}, {})
    async with (
        running_server(settings) as server,
        httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http,
    ):
        http.headers["authorization"] = "Bearer ada"
        yield Api(server, http)


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with an_api(tmp_path / "data") as api:
        yield api


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """For what nobody announces: ask again until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
