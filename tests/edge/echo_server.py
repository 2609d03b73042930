"""A real uvicorn on a free port whose sockets are taken over, with a receiver that a test looks into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from threadline.protocol.limits import DEFAULT_LIMITS, Limits
from threadline_server.edge.connection import Connection
from threadline_server.edge.connections import Connections
from threadline_server.edge.frames import binary_frame
from threadline_server.edge.http_protocol import HttpProtocol
from threadline_server.edge.websocket_protocol import HANDOVER, WebSocketProtocol

PATIENCE_S = 10.0


class Echo:
    """Sends every message back, except `big`, which asks for `flood` bytes, and `fail`, which fails."""

    def __init__(self, connection: Connection, limits: Limits, flood: int = 0) -> None:
        self.connection = connection
        self.limits = limits
        self.flood = flood
        self.messages: list[bytes] = []
        self.congestion: list[bool] = []
        self.gone = asyncio.Event()

    def receive(self, message: bytes) -> None:
        if message == b"fail":
            raise RuntimeError("as asked")
        self.messages.append(message)
        self.connection.transport.write(binary_frame(message if message != b"big" else bytes(self.flood)))

    def most_bytes(self, prefix: bytes) -> int:
        return self.limits.max_step2_bytes if prefix.startswith(b"large") else self.limits.max_frame_bytes

    def congest(self, congested: bool) -> None:
        self.congestion.append(congested)

    def heartbeat(self) -> bytes:
        return binary_frame(b"heartbeat")

    def lost(self) -> None:
        assert not self.gone.is_set()
        self.gone.set()


@dataclass
class EchoServer:
    connections: Connections
    port: int = 0
    flood: int = 0
    echoes: list[Echo] = field(default_factory=list)
    taken: list[Connection] = field(default_factory=list)

    def client(self, path: str = "/", *, max_size: int | None = None) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            compression=None,
            proxy=None,
            max_size=max_size,
            ping_interval=None,
        )

    async def endpoint(self, websocket: WebSocket) -> None:
        if websocket.url.path == "/refuse":
            await websocket.close()
            return
        if websocket.url.path == "/crash":
            raise RuntimeError("as asked")
        await websocket.accept()
        if websocket.url.path == "/forget":
            return
        connection = websocket.scope["extensions"][HANDOVER]["take"](
            lambda transport, peers: Connection(transport, self.connections, peers)
        )
        echo = Echo(connection, self.connections.limits, self.flood)
        self.echoes.append(echo)
        self.taken.append(connection)
        connection.serve(echo)


@asynccontextmanager
async def echo_server(limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[EchoServer]:
    server = EchoServer(Connections(limits, max_connections=100))
    app = Starlette(routes=[WebSocketRoute("/{rest:path}", server.endpoint)])
    async with listening(app) as server.port:
        yield server


@asynccontextmanager
async def listening(app: ASGIApp, http: type[HttpProtocol] = HttpProtocol) -> AsyncIterator[int]:
    """uvicorn, as the server configures it; gives its port."""
    config = uvicorn.Config(
        app,
        port=0,
        http=http,
        ws=WebSocketProtocol,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    node = uvicorn.Server(config)
    task = asyncio.create_task(node.serve())
    try:
        await until(lambda: node.started)
        yield node.servers[0].sockets[0].getsockname()[1]
    finally:
        node.should_exit = True
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - conditions of several objects, none of which tells
            await asyncio.sleep(0)


async def next_message(client: ClientConnection) -> bytes:
    message = await asyncio.wait_for(client.recv(), PATIENCE_S)
    assert isinstance(message, bytes)
    return message


async def close_code_of(client: ClientConnection) -> int:
    """Reads until the server closes."""
    await asyncio.wait_for(client.wait_closed(), PATIENCE_S)
    assert client.close_code is not None
    return client.close_code
