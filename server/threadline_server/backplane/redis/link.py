"""One connection to one Redis: commands go out together once per turn of the loop, replies come back in
order.

redis-py's own connections take one task per command; a node that appends for thousands of sessions cannot
afford that (https://redis.io/docs/latest/develop/using-commands/pipelining/). hiredis reads and writes the
protocol.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from threadline_server.backplane.redis.endpoint import Address, Endpoint
from threadline_server.backplane.redis.scripts import pack

CONNECT_S = 5.0


class RedisRefused(hiredis.ReplyError):
    """An error that Redis replied; its first word says which."""

    @property
    def kind(self) -> str:
        return str(self).partition(" ")[0]


class RedisAway(Exception):
    """There is no connection, or it broke before the reply: whether the command ran is not known."""


Reply = Any  # int, bytes, list of replies, None, RedisRefused, RedisAway
OnReply = Callable[[Reply], None]


class Link:
    """An asyncio.Protocol in all but the name, so that it can be compiled.

    address: whom it is connected to
    closed:  done when the connection is gone
    heard:   loop time of the last bytes that came, or of the first command after a silence

    With `on_push`, the connection is one of subscriptions: everything that comes goes there.
    """

    def __init__(self, address: Address, on_push: OnReply | None = None) -> None:
        self.address = address
        self.heard = 0.0
        self.run_id = b""
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.on_push = on_push
        self._reader = hiredis.Reader(replyError=RedisRefused)
        self._waiting: deque[OnReply] = deque()
        self._outgoing: list[bytes] = []
        self._gathers: bool = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are no subclass
        self.heard = self._loop.time()

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        self._reader.feed(data)
        try:
            reply = self._reader.gets()
            while reply is not False:
                self._dispatch(reply)
                reply = self._reader.gets()
        except hiredis.ProtocolError:
            self.abort()

    def _dispatch(self, reply: Reply) -> None:
        if self.on_push is not None:
            self.on_push(reply)
        elif self._waiting:
            self._waiting.popleft()(reply)

    def eof_received(self) -> None:
        """The transport closes itself then."""

    def pause_writing(self) -> None:
        """What is on its way is bounded elsewhere: by what a room may have that is not durable."""

    def resume_writing(self) -> None:
        """As before."""

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._outgoing.clear()
        waiting, self._waiting = self._waiting, deque()
        if not self.closed.done():
            self.closed.set_result(None)
        for on_reply in waiting:
            on_reply(RedisAway(f"The connection to {self.address} broke."))

    @property
    def waiting(self) -> int:
        """Commands without a reply."""
        return len(self._waiting)

    def send(self, command: bytes, on_reply: OnReply) -> None:
        """Send with everything else of this turn of the loop; `on_reply` is called once, whatever happens."""
        if self._transport is None:
            on_reply(RedisAway(f"There is no connection to {self.address}."))
            return
        if not self._waiting:
            self.heard = self._loop.time()
        self._waiting.append(on_reply)
        self.write(command)

    def write(self, command: bytes) -> None:
        """Send what has no reply of its own (on a connection of subscriptions)."""
        if not self._outgoing and not self._gathers:
            self._loop.call_soon(self.flush)
        self._outgoing.append(command)

    def gather(self) -> None:
        """`flush` follows in this turn of the loop: until then nothing has to leave."""
        self._gathers = True

    def flush(self) -> None:
        """Now, and not only at the end of this turn of the loop."""
        self._gathers = False
        if self._transport is not None and self._outgoing:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    async def call(self, *arguments: str | bytes | int) -> Reply:
        """The reply to one command. Raises RedisRefused or RedisAway."""
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self.send(pack(*arguments), lambda value: None if reply.done() else reply.set_result(value))
        value = await reply
        if isinstance(value, (RedisRefused, RedisAway)):
            raise value
        return value

    def abort(self) -> None:
        """Break the connection now; what waits is told."""
        if self._transport is not None:
            self._transport.abort()


async def connect(endpoint: Endpoint, address: Address, on_push: OnReply | None = None) -> Link:
    """A connection that is authenticated and set to the database. Raises RedisAway or RedisRefused."""
    link = Link(address)
    protocol = cast(asyncio.Protocol, link)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            if address.port == 0:
                await loop.create_unix_connection(lambda: protocol, address.host)
            else:
                await loop.create_connection(lambda: protocol, address.host, address.port, ssl=endpoint.tls)
            await _introduce(link, endpoint)
    except (OSError, TimeoutError) as error:
        link.abort()
        raise RedisAway(f"Redis at {address} does not answer ({error or 'no reply'}).") from error
    except BaseException:
        link.abort()
        raise
    link.on_push = on_push
    return link


async def _introduce(link: Link, endpoint: Endpoint) -> None:
    if endpoint.password is not None:
        names = [endpoint.username] if endpoint.username else []
        await link.call("AUTH", *names, endpoint.password)
    if endpoint.db:
        await link.call("SELECT", endpoint.db)
    info = await link.call("INFO", "server")
    link.run_id = _field(info, b"run_id")


def _field(info: bytes, name: bytes) -> bytes:
    return info.partition(name + b":")[2].partition(b"\r\n")[0]


def info_fields(info: bytes) -> dict[str, str]:
    """The reply to INFO, by name."""
    pairs = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in pairs if colon}
