"""Nodes that know people by signed tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from tests.raw_device import RawDevice, raw_device
from tests.signing import SECRET, token_of

from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load


@asynccontextmanager
async def guarded_node(data: Path | None, **flags: object) -> AsyncIterator[RunningServer]:
    """`--auth token` with the secret of the tests, at a free port; without `data` give a Redis."""
    where = {} if data is None else {"data": data}
    settings = load({"port": 0, "auth": "token", "auth_secret": SECRET, **where, **flags}, {})
    async with running_server(settings) as server:
        yield server


@asynccontextmanager
async def api_of(server: RunningServer, user: str, token: str = "") -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token or token_of(user)}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20) as client:
        yield client


@asynccontextmanager
async def device_of(
    server: RunningServer, session: str, user: str, **claims: object
) -> AsyncIterator[RawDevice]:
    async with raw_device(server.url, session, user, token=token_of(user, **claims)) as device:
        yield device


async def ended(device: RawDevice) -> str:
    """Why the document was closed, once it was."""
    async with asyncio.timeout(20):
        await device.until(lambda: device.document_closed is not None, "the document was closed")
    assert device.document_closed is not None
    return device.document_closed.partition(":")[0]
