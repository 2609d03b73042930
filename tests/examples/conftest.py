"""Threadline servers and the examples' applications on free ports, for as long as a test runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from examples.hosting import hosted

from threadline_server.app import running_server
from threadline_server.settings import Settings

Serve = Callable[..., AbstractAsyncContextManager[str]]


@pytest_asyncio.fixture
async def threadline_at(tmp_path: Path) -> AsyncIterator[Serve]:
    """`async with threadline_at(expire_after_s=1) as url`: a server on data that stays for the next one."""

    @asynccontextmanager
    async def serve(**settings: Any) -> AsyncIterator[str]:
        own = {} if "redis" in settings else {"data": tmp_path / "data"}
        chosen = Settings(**{"port": 0, "stop_grace_s": 0.2, **own, **settings})
        async with running_server(chosen) as server:
            yield server.url

    yield serve


@pytest_asyncio.fixture
async def server(threadline_at: Serve) -> AsyncIterator[str]:
    """The URL of a Threadline server."""
    async with threadline_at() as url:
        yield url


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest_asyncio.fixture
async def host() -> AsyncIterator[Callable[[Any], Any]]:
    """`url = await host(app)`: an ASGI application until the test ends."""
    async with AsyncExitStack() as stack:

        async def serve(app: Any) -> str:
            return await stack.enter_async_context(hosted(app))

        yield serve
