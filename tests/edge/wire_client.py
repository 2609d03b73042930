"""A socket that sends and receives frames as bytes, for tests that look at them one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.edge.echo_server import PATIENCE_S
from tests.edge.sync_server import SyncServer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import (
    Authenticate,
    Authenticated,
    Message,
    ServerMessage,
    Stateless,
)
from threadline.protocol.sync import Update
from threadline.protocol.ywebsocket import PermissionDenied


class Wire:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, data: bytes) -> None:
        await self.socket.send(data)

    async def receive(self) -> bytes:
        data = await asyncio.wait_for(self.socket.recv(), PATIENCE_S)
        assert isinstance(data, bytes)
        return data

    async def until_closed(self) -> tuple[int, str]:
        """(close code, reason), whatever still comes before."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                async for _ in self.socket:
                    pass
        await asyncio.wait_for(self.socket.wait_closed(), PATIENCE_S)
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


class HocuspocusWire(Wire):
    """Messages instead of bytes, for one address at a time."""

    async def say(self, address: str, message: Message) -> None:
        await self.send(hocuspocus.encode(address, message))

    async def hear(self, address: str | None = None) -> ServerMessage:
        """The next message, which must be for `address` if one is given."""
        frame = hocuspocus.decode_from_server(await self.receive())
        assert address in (None, frame.address)
        return frame.message

    async def hear_kind(self, kind: type[ServerMessage]) -> ServerMessage:
        """The next message of a kind; others are passed over."""
        while not isinstance(message := await self.hear(), kind):
            pass
        return message

    async def hear_update(self, update: bytes) -> str:
        """The address at which `update` comes next; the server's own stamps are passed over."""
        while True:
            frame = hocuspocus.decode_from_server(await self.receive())
            if frame.message == Update(update):
                return frame.address

    async def enter(self, address: str, token: str, version: str | None = "4.8.0") -> None:
        """Authenticate and read the answer and the hello."""
        await self.say(address, Authenticate(token, version))
        answer = await self.hear(address)
        assert isinstance(answer, Authenticated), answer
        assert isinstance(await self.hear(address), Stateless)

    async def denied(self, address: str, token: str) -> str:
        await self.say(address, Authenticate(token, "4.8.0"))
        answer = await self.hear(address)
        assert isinstance(answer, PermissionDenied), answer
        return answer.reason

    async def is_alive(self) -> bool:
        """Whether the server still answers on this socket."""
        await self.send(hocuspocus.PING_FRAME)
        return await self.receive() == hocuspocus.PONG_FRAME


@asynccontextmanager
async def _socket(server: SyncServer, path: str) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{server.port}{path}"
    async with connect(url, compression=None, proxy=None, max_size=None, ping_interval=None) as socket:
        yield socket


@asynccontextmanager
async def hocuspocus_wire(server: SyncServer, query: str = "") -> AsyncIterator[HocuspocusWire]:
    async with _socket(server, f"/sync{query}") as socket:
        yield HocuspocusWire(socket)


@asynccontextmanager
async def ywebsocket_wire(server: SyncServer, path: str) -> AsyncIterator[Wire]:
    async with _socket(server, f"/sync/{path}") as socket:
        yield Wire(socket)
