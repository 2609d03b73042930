"""A way to Redis that can be cut, and that can lose or delay what pub/sub says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK = 64 * 1024
_NESTED = b"*>~"
_SIZED = b"$="
_MESSAGE = b"\r\nsmessage\r\n"


def frame_end(data: bytes | bytearray, at: int) -> int | None:
    """Where the RESP value that begins at `at` ends, or None while it is incomplete."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, end = data[at], line + 2
    if kind in _SIZED:
        size = int(data[at + 1 : line])
        end += size + 2 if size >= 0 else 0
        return end if end <= len(data) else None
    if kind in _NESTED or kind == ord("%"):
        for _ in range(int(data[at + 1 : line]) * (2 if kind == ord("%") else 1)):
            inner = frame_end(data, end)
            if inner is None:
                return None
            end = inner
    return end


class RedisProxy:
    """One listener before one Redis; each process of a deployment gets its own.

    lost_share: which part of the messages of pub/sub is lost
    delay_s:    how long they are held back
    """

    def __init__(self, redis_port: int, chance: random.Random) -> None:
        self.lost_share = 0.0
        self.delay_s = 0.0
        self.lost_messages = 0
        self.port = 0
        self._redis_port = redis_port
        self._chance = chance
        self._passing = True
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """End every connection, and let none through until `mend`."""
        self._passing = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._passing = True

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[RedisProxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._passing:
                await self._relay(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", self._redis_port)
        way = _Way(self)
        self._writers |= {writer, to_redis}
        try:
            commands = asyncio.create_task(way.pass_commands(reader, to_redis))
            replies = asyncio.create_task(way.pass_replies(from_redis, writer))
            await asyncio.wait((commands, replies), return_when=asyncio.FIRST_COMPLETED)
            for task in (commands, replies):
                task.cancel()
            await asyncio.gather(commands, replies, return_exceptions=True)
        finally:
            self._writers -= {writer, to_redis}
            to_redis.transport.abort()

    def loses(self) -> bool:
        if self._chance.random() >= self.lost_share:
            return False
        self.lost_messages += 1
        return True


class _Way:
    """One connection. One that subscribes is looked at frame by frame, others pass as they are."""

    def __init__(self, proxy: RedisProxy) -> None:
        self._proxy = proxy
        self._subscribed = False
        self._rest = bytearray()

    async def pass_commands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            self._subscribed = self._subscribed or b"SSUBSCRIBE" in data
            writer.write(data)
            await writer.drain()

    async def pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._subscribed:
                if self._proxy.delay_s:
                    await asyncio.sleep(self._proxy.delay_s)  # the fault itself
                data = self._kept(data)
            writer.write(data)
            await writer.drain()

    def _kept(self, data: bytes) -> bytes:
        self._rest += data
        kept = bytearray()
        at = 0
        while at < len(self._rest) and (end := frame_end(self._rest, at)) is not None:
            said = _MESSAGE in self._rest[at : at + 24]
            if not (said and self._proxy.loses()):
                kept += self._rest[at:end]
            at = end
        del self._rest[:at]
        return bytes(kept)
