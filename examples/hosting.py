"""An ASGI application on a free port of this machine, for as long as a block runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

STOP_S = 5


@asynccontextmanager
async def hosted(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Its URL; it listens when the block begins."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=STOP_S
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    if server.should_exit:
        raise RuntimeError("the application did not start")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.main_loop())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await server.shutdown([listener])
