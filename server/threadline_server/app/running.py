"""A node behind its socket, and a worker without one, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from threadline.errors import ConfigurationError, StoreError
from threadline_server.app.core import Core
from threadline_server.app.edge_parts import tls_of
from threadline_server.app.node import Node, OnCode
from threadline_server.descriptors import make_room_for
from threadline_server.edge.http.demo import Kill
from threadline_server.edge.http_protocol import bounded_by
from threadline_server.edge.websocket_protocol import WebSocketProtocol
from threadline_server.serving import listen, serving, url_of
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart


def create_app(settings: Settings) -> FastAPI:
    """The application for any ASGI server; its lifespan opens and closes the node.

    The WebSocket routes need uvicorn with `WebSocketProtocol`, as `running_server` has it.
    """
    return Node(settings).app


@dataclass(frozen=True, slots=True)
class RunningServer:
    url: str
    node: Node


@asynccontextmanager
async def running_server(
    settings: Settings, *, on_code: OnCode | None = None, kill: Kill | None = None
) -> AsyncIterator[RunningServer]:
    """A node behind its socket, on this event loop, until the block ends; then it stops gracefully.

    `on_code` hears of codes to pair with; `kill` is what a demo lets people do to it. Raises CouldNotStart
    for whatever is wrong around the server.
    """
    tls = tls_of(settings)
    make_room_for(settings.max_connections)
    listener = listen(settings.host, settings.port)
    try:
        node = Node(settings, on_code=on_code, kill=kill)
        async with AsyncExitStack() as stack:
            await _enter(stack, node)
            door = serving(
                node.app,
                listener,
                http_protocol=bounded_by(node.request_bounds, node.connections.turns),
                websocket_protocol=WebSocketProtocol,
                send_away=node.send_away,
                stop_grace_s=settings.stop_grace_s,
                tls=tls,
            )
            await stack.enter_async_context(door)
            yield RunningServer(url_of(listener, tls), node)
    finally:
        listener.close()


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[Core]:
    """A process without sockets that works for others, until the block ends. Raises CouldNotStart."""
    async with AsyncExitStack() as stack:
        core = Core(settings)
        await _enter(stack, core)
        yield core


async def _enter(stack: AsyncExitStack, core: Core) -> None:
    try:
        await stack.enter_async_context(core)
    except (StoreError, ConfigurationError) as error:
        raise CouldNotStart(error.message) from error
