"""A device of nothing but bytes on a socket: what it sends need be no frame, and costs it little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Authenticate
from threadline.protocol.sync import SyncStep2, Update
from threadline.protocol.varint import encode_text

PATIENCE_S = 60.0

_HANDSHAKE = (
    b"GET /sync HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_BINARY = 0x82
_CLOSE = 0x88
_MASKED = 0x80
_NO_MASK = bytes(4)
_STEP1, _STEP2, _AN_UPDATE = b"\x00\x00\x01\x00", b"\x00\x01", b"\x00\x02"


def masked(payload: bytes, first: int = _BINARY) -> bytes:
    """One WebSocket frame of a client, under a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((first, _MASKED | size))
    elif size < 65_536:
        head = bytes((first, _MASKED | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, _MASKED | 127)) + size.to_bytes(8, "big")
    return head + _NO_MASK + payload


_PING = masked(hocuspocus.PING_FRAME)


class BareDevice:
    """open:      the document takes messages
    denied:    the last token was not taken
    updates:   all that the document was told it holds, once it is asked for
    received:  bytes of messages since the connection began
    """

    def __init__(self, url: str, session: str, token: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None and parts.port is not None
        self._place = (parts.hostname, parts.port)
        self._address = encode_text(session)
        self._authenticate = masked(hocuspocus.encode(session, Authenticate(token, "4.8.0")))
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.open = False
        self.denied = False
        self.received = 0
        self.acknowledged = 0
        self.updates: list[bytes] | None = None
        self._more = asyncio.Event()
        self.close_code: int | None = None

    async def connect(self) -> None:
        reader, writer = await asyncio.open_connection(*self._place)
        writer.write(_HANDSHAKE % self._place[0].encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        self._reader, self._writer = reader, writer
        self.received, self.close_code, self.open = 0, None, False

    def leave(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None
        self.open = False

    async def enter(self) -> None:
        """Be in the document, on a new socket where the last one has ended."""
        if self._writer is None:
            await self.connect()
        if not self.open:
            self.denied = False
            await self._exchange(self._authenticate, lambda payload: self.open or self.denied)

    async def send(self, message: bytes) -> None:
        """One message for the document, and whatever the server says to it."""
        await self._exchange(masked(self._address + message) + _PING, hocuspocus.PONG_FRAME.__eq__)

    async def synchronise(self) -> None:
        """Ask for all that the document has, and read until it came. `updates` are kept from here on."""
        self.updates = []
        await self._exchange(masked(self._address + _STEP1), lambda payload: bool(self.updates))

    async def read_on(self) -> None:
        """Read until cancelled or the socket ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self._read()
                self._more.set()
        self.leave()

    async def until_more(self) -> None:
        """Until something was read since the last call."""
        await asyncio.wait_for(self._more.wait(), PATIENCE_S)
        self._more.clear()

    def stall(self) -> None:
        """Take nothing from the socket any more."""
        assert self._writer is not None
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket it is a full transport

    def resume(self) -> None:
        assert self._writer is not None
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def send_raw(self, data: bytes) -> None:
        """Bytes in place of a WebSocket frame, after which nothing need be answered."""
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def _exchange(self, frame: bytes, done: Callable[[bytes], bool]) -> None:
        """Send, and read until `done` with what came or the server has closed the socket."""
        assert self._writer is not None
        try:
            self._writer.write(frame)
            async with asyncio.timeout(PATIENCE_S):
                while not done(await self._read()):
                    pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.leave()

    async def _read(self) -> bytes:
        """The payload of the next frame. Raises ConnectionError where it ends the socket."""
        assert self._reader is not None
        first, size = await self._reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._reader.readexactly(8), "big")
        payload = await self._reader.readexactly(size)
        if first == _CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")
            raise ConnectionResetError("the server closed")
        if first == _BINARY:
            self.received += size
            self._note(payload)
        return payload

    def _note(self, payload: bytes) -> None:
        kind = payload[len(self._address) : len(self._address) + 2]
        if kind == bytes((hocuspocus.AUTH, hocuspocus.AUTH_GRANTED)):
            self.open = True
        elif kind == bytes((hocuspocus.AUTH, hocuspocus.AUTH_DENIED)):
            self.denied = True
        elif self.updates is not None and kind in (_AN_UPDATE, _STEP2):
            frame = hocuspocus.decode_from_server(payload)
            assert isinstance(frame.message, SyncStep2 | Update)
            self.updates.append(frame.message.update)
        elif kind[:1] == bytes((hocuspocus.CLOSE,)):
            self.open = False
        elif kind == bytes((hocuspocus.SYNC_STATUS, 1)):
            self.acknowledged += 1
