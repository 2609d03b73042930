"""Devices that cost little, so that one test can have thousands: a socket of the y-websocket dialect each.

They say hello, answer pings, and come back as our clients do, after the same jittered wait.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from threadline.backoff import Backoff

_STEP1 = bytes((0, 0, 1, 0))  # sync, step 1, an empty state vector
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_FINAL = 0x80
_LONG, _LONGEST = 126, 127


@dataclass(slots=True)
class Crowd:
    """What came of all of them. `opened_at` counts sockets by the second, `waiting` those in a handshake."""

    up: int = 0
    attempts: int = 0
    failures: int = 0
    waiting: int = 0
    most_waiting: int = 0
    opened_at: Counter[int] = field(default_factory=Counter)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_up(self, count: int, patience_s: float) -> None:
        async with asyncio.timeout(patience_s):
            while self.up < count:
                self.changed.clear()
                await self.changed.wait()


class IdleDevice(asyncio.Protocol):
    """One connection. `ended` is called once it is over, with whether it had been up."""

    def __init__(self, crowd: Crowd, path: str, ended: Callable[[bool], None]) -> None:
        self._crowd = crowd
        self._path = path
        self._ended = ended
        self._buffer = b""
        self._shaken = self._up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._shaken:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._transport.close()
                return
            self._shaken, self._buffer = True, rest
            self._send(_BINARY, _STEP1)
        self._read_frames()

    def _read_frames(self) -> None:
        while len(self._buffer) >= 2:
            length, start = self._buffer[1] & 0x7F, 2
            if length >= _LONG:
                start = 4 if length == _LONG else 10
                if len(self._buffer) < start:
                    return
                length = int.from_bytes(self._buffer[2:start], "big")
            if len(self._buffer) < start + length:
                return
            code, body = self._buffer[0] & 0x0F, self._buffer[start : start + length]
            self._buffer = self._buffer[start + length :]
            self._heard(code, body)

    def _heard(self, code: int, body: bytes) -> None:
        if code == _PING:
            self._send(_PONG, body)
        elif code == _CLOSE:
            self._transport.close()
        elif not self._up:
            self._up = True
            self._crowd.up += 1
            self._crowd.waiting -= 1
            self._crowd.opened_at[int(time.monotonic())] += 1
            self._crowd.changed.set()

    def _send(self, code: int, body: bytes) -> None:
        """Masked with zeros, which is a mask too."""
        self._transport.write(bytes((_FINAL | code, _FINAL | len(body), 0, 0, 0, 0)) + body)

    def connection_lost(self, error: Exception | None) -> None:
        if self._up:
            self._crowd.up -= 1
        else:
            self._crowd.waiting -= 1
            self._crowd.failures += 1
        self._ended(self._up)

    def leave(self) -> None:
        self._transport.abort()


async def stay(crowd: Crowd, url: Callable[[], str], path: str, most_s: float) -> None:
    """One device, until cancelled. Cut off, it comes back, after `most_s` at most; `url` is asked then."""
    loop = asyncio.get_running_loop()
    backoff = Backoff(most_s=most_s)
    while True:
        crowd.attempts += 1
        crowd.waiting += 1
        crowd.most_waiting = max(crowd.most_waiting, crowd.waiting)
        ended: asyncio.Future[bool] = loop.create_future()
        address = urlsplit(url())
        try:
            _, device = await loop.create_connection(
                lambda ended=ended: IdleDevice(crowd, path, ended.set_result),  # type: ignore[misc]
                address.hostname or "",
                address.port or 0,
            )
        except OSError:
            crowd.waiting -= 1
            crowd.failures += 1
        else:
            try:
                if await asyncio.shield(ended):
                    backoff.reset()
            except asyncio.CancelledError:
                device.leave()
                raise
        await asyncio.sleep(backoff.next_s())
