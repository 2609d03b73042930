"""A server in this process that can be stopped and started again, and clients of it that come back fast."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest_asyncio

import threadline
from threadline.agents import Agent
from threadline.backoff import Backoff
from threadline.client import Client
from threadline.live_session import LiveSession
from threadline_server.app import Node, running_server
from threadline_server.runs.options import RunOptions
from threadline_server.runs.worker import Worker
from threadline_server.settings import Settings

PATIENCE_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Place:
    """One address at which a server is, is not, or is another one with data of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.node: Node
        self._stack = AsyncExitStack()

    async def start(self, data: str = "data", **settings: Any) -> None:
        chosen = Settings(port=self.port, data=self.path / data, stop_grace_s=0.2, **settings)
        self.node = (await self._stack.enter_async_context(running_server(chosen))).node

    async def work(self, *agents: Agent) -> None:
        """A worker for these agents beside the server, until the server stops."""
        options = RunOptions(linger_s=0.05, scan_every_s=0.05, batch_ms=5)
        worker = Worker(self.node.backplane, self.node.rooms, agents, options=options)
        task = asyncio.create_task(worker.run())
        self._stack.push_async_callback(_end, task)

    async def stop(self) -> None:
        await self._stack.aclose()

    def connect(self, name: str, **options: Any) -> Client:
        options.setdefault("backoff", Backoff(first_s=0.01, most_s=0.1))
        return threadline.connect(self.url, token=name, **options)


Connect = Callable[..., Client]


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """An address with nothing behind it yet."""
    place = Place(tmp_path)
    try:
        yield place
    finally:
        await place.stop()


@pytest_asyncio.fixture
async def connect(place: Place) -> Connect:
    """A client of a started server, as the user that is named."""
    await place.start()
    return place.connect


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(session: LiveSession, holds: Callable[[], bool]) -> None:
    """Wait, bounded, until `holds()` of something in the session."""
    async with asyncio.timeout(PATIENCE_S):
        await session.until(holds)


async def until_equal(*sessions: LiveSession) -> None:
    """Wait until every session holds the same content."""
    for session in sessions[1:]:
        await until(session, lambda s=session: s.document.digest() == sessions[0].document.digest())  # type: ignore[misc]
