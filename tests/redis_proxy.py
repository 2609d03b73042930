"""A way to Redis that can be cut, can lose or delay what pub/sub says, and can run commands twice."""

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
    commands:   what came while `noting`, but for that of connections that subscribe

    With `twice`, each command runs twice and the second reply is passed on, as when the first was lost with
    its connection and the command was sent again.
    """

    def __init__(self, redis_port: int, chance: random.Random, *, twice: bool = False) -> None:
        self.twice = twice
        self.noting = False
        self.commands: list[bytes] = []
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

    async def run(self, commands: list[bytes]) -> None:
        """Let Redis run them now, on a connection of their own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._redis_port)
        try:
            writer.write(b"".join(commands))
            replies, waiting = Frames(), len(commands)
            while waiting:
                data = await reader.read(CHUNK)
                assert data, "Redis closed the connection"
                waiting -= len(replies.of(data))
        finally:
            writer.transport.abort()

    def loses(self) -> bool:
        if self._chance.random() >= self.lost_share:
            return False
        self.lost_messages += 1
        return True


class Frames:
    """Cuts a stream into RESP values."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def of(self, data: bytes) -> list[bytes]:
        """Those that are complete with `data`."""
        self._rest += data
        frames = []
        at = 0
        while at < len(self._rest) and (end := frame_end(self._rest, at)) is not None:
            frames.append(bytes(self._rest[at:end]))
            at = end
        del self._rest[:at]
        return frames


class _Way:
    """One connection. Of one that subscribes the replies are looked at, of others the commands."""

    def __init__(self, proxy: RedisProxy) -> None:
        self._proxy = proxy
        self._subscribed = False
        self._first = True
        self._commands = Frames()
        self._replies = Frames()

    async def pass_commands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            commands = self._commands.of(data)
            self._subscribed = self._subscribed or any(b"SSUBSCRIBE" in command for command in commands)
            if not self._subscribed:
                commands = self._repeated(commands)
            writer.write(b"".join(commands))
            await writer.drain()

    def _repeated(self, commands: list[bytes]) -> list[bytes]:
        if self._proxy.noting:
            self._proxy.commands += commands
        return [command * 2 for command in commands] if self._proxy.twice else commands

    async def pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._subscribed:
                if self._proxy.delay_s:
                    await asyncio.sleep(self._proxy.delay_s)  # the fault itself
                data = b"".join(frame for frame in self._replies.of(data) if not self._is_lost(frame))
            elif self._proxy.twice:
                data = b"".join(frame for frame in self._replies.of(data) if self._is_second())
            writer.write(data)
            await writer.drain()

    def _is_lost(self, frame: bytes) -> bool:
        return _MESSAGE in frame[:24] and self._proxy.loses()

    def _is_second(self) -> bool:
        self._first = not self._first
        return self._first
