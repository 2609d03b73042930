"""One WebSocket for many documents of a client, which comes back by itself.

What is said on it is the channels' affair; here are the socket, the order of frames, the renewal of presence
and the waits. A close with 44xx stops every document with its reason; anything else is followed by another
attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from threadline.backoff import Backoff
from threadline.changed import Changed
from threadline.channel import Channel, Phase, Stopped
from threadline.errors import ConfigurationError, ProtocolError, Unauthorized
from threadline.presence import RENEW_EVERY_S
from threadline.protocol import close_codes, hocuspocus
from threadline.protocol.limits import DEFAULT_LIMITS, Limits
from threadline.token import Token

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
PING_EVERY_S = 20.0
JOINING_AT_ONCE = DEFAULT_LIMITS.max_pending_documents // 2
"""Documents of a socket that have said hello and are not let in yet; more wait here for their turn."""
MAX_MESSAGE_BYTES = 512 << 20
"""From a server, which by default lets a session grow to half of this and sends it whole."""
_FROM_SERVER = Limits(max_step2_bytes=MAX_MESSAGE_BYTES)

_log = logging.getLogger("threadline.connection")


class Connection:
    """Hold `run` in a task group. `problem` says why there is no socket right now, in words."""

    def __init__(
        self, url: str, token: Token, *, backoff: Backoff | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.url = url
        self.token = token
        self.problem = ""
        self.on_change: Callable[[], None] = _nothing
        self._backoff = backoff if backoff is not None else Backoff()
        self._tls = tls
        self._channels: dict[str, Channel] = {}
        self._to_join: deque[Channel] = deque()
        self._departing: list[bytes] = []
        self._leaving: dict[str, int] = {}
        self._socket: ClientConnection | None = None
        self._wake = Changed()
        self._farewell = Changed()
        self._hurry = asyncio.Event()
        self._failures = 0
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def documents(self) -> int:
        """Documents that the server has on this socket, or had and is still being told to leave."""
        return len(self._channels) + len(self._leaving)

    def __contains__(self, channel: Channel) -> bool:
        return self._channels.get(channel.name) is channel

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def has_failed(self) -> bool:
        """The last attempt ended without a socket, so this device is offline for now."""
        return self._socket is None and self._failures > 0

    def add(self, channel: Channel) -> None:
        """Join a document that is not joined here."""
        self._channels[channel.name] = channel
        channel.wake = self._wake.notify
        channel.on_comes_back = partial(self._come_back, channel)
        channel.on_token_wanted = partial(self._token_wanted, channel)
        channel.on_unwritable = partial(self._stop_reader, channel)
        self.rejoin(channel)

    def remove(self, channel: Channel) -> None:
        """Leave a document: it is told to the server, and nothing of it is received any more."""
        if channel not in self:
            return
        del self._channels[channel.name]
        self._say_farewell_of(channel)
        channel.disconnected()
        self._join_waiting()
        self._wake.notify()

    def _say_farewell_of(self, channel: Channel) -> None:
        farewell = channel.leave()
        if farewell:
            self._leaving[channel.name] = self._leaving.get(channel.name, 0) + 1
        self._departing += [hocuspocus.encode(channel.name, message) for message in farewell]

    def _stop_reader(self, channel: Channel) -> None:
        """The server lets readers be: it is we who end a replica that holds what will never be taken."""
        self._say_farewell_of(channel)
        channel.stop(Stopped(close_codes.REPLICA_REJECTED, "you may read this session, and not write in it"))
        self._wake.notify()

    def rejoin(self, channel: Channel) -> None:
        """Say hello for a document that is new or starts over, if there is a socket."""
        if self._socket is not None and channel.name not in self._leaving:
            self._join(channel)
        self._wake.notify()

    async def say_farewell(self, timeout_s: float) -> None:
        """Wait, bounded, until the server was told of the documents that were left."""
        if self._socket is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._farewell.until(lambda: not self._departing or self._socket is None)

    def hurry(self) -> None:
        """Do not wait for the next attempt: the network is back, or somebody asks."""
        self._hurry.set()

    async def run(self) -> None:
        """Keep a socket open while there are documents to join, until cancelled."""
        while True:
            await self._wake.until(self._is_wanted)
            await self._attempt()
            await self._pause()

    def _is_wanted(self) -> bool:
        return any(channel.phase is not Phase.STOPPED for channel in self._channels.values())

    async def _attempt(self) -> None:
        try:
            await self.token.refresh()
            async with self._opened() as socket:
                await self._use(socket)
        except ConnectionClosed as error:
            self._ended(error)
        except InvalidStatus as error:
            self._not_admitted(error.response.status_code)
        except InvalidURI as error:
            raise ConfigurationError(f"{self.url} is not the address of a server.") from error
        except (OSError, TimeoutError, InvalidHandshake, ProtocolError, Unauthorized) as error:
            self._failed(str(error) or type(error).__name__)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[ClientConnection]:
        socket: ClientConnection | None = None
        try:
            async with open_socket(
                self.url,
                ssl=self._tls,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_EVERY_S,
                ping_timeout=PING_EVERY_S,
                close_timeout=CLOSE_TIMEOUT_S,
            ) as socket:
                yield socket
        finally:
            if socket is not None:
                socket.transport.abort()  # it is closed, unless this was cancelled while it said goodbye

    async def _pause(self) -> None:
        self._hurry.clear()
        try:
            async with asyncio.timeout(self._backoff.next_s()):
                await self._hurry.wait()
        except TimeoutError:
            return

    # with a socket

    async def _use(self, socket: ClientConnection) -> None:
        self._socket, self._failures, self.problem = socket, 0, ""
        self._departing.clear()
        self._leaving.clear()
        self.on_change()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._to_join.extend(self._all())
                self._join_waiting()
                tasks.create_task(self._send(socket))
                tasks.create_task(self._renew())
                await self._receive(socket)
        except BaseExceptionGroup as group:  # `except*` would put what it raises into a group before 3.11.4
            ended, others = group.split((ConnectionClosed, ProtocolError))
            if ended is None or others is not None:
                raise
            raise _first(ended) from None
        finally:
            self._socket = self._tasks = None
            self._to_join.clear()
            for channel in self._all():
                channel.disconnected()
            self.on_change()

    async def _receive(self, socket: ClientConnection) -> None:
        """Until the socket is closed, which raises ConnectionClosed."""
        while True:
            data = await socket.recv()
            if isinstance(data, str):
                raise ProtocolError("The server sent a text message; this protocol has binary ones only.")
            self._received(hocuspocus.decode_from_server(data, _FROM_SERVER))

    def _received(self, frame: hocuspocus.ServerFrame) -> None:
        if isinstance(frame.message, hocuspocus.Ping):
            self._departing.append(hocuspocus.PONG_FRAME)
            self._wake.notify()
            return
        channel = self._channels.get(frame.address)
        if frame.address in self._leaving:
            self._left(frame, channel)
            return
        if channel is None:
            return
        channel.receive(frame.message)
        if self._to_join:
            self._join_waiting()
        if channel.phase is Phase.LIVE:
            self._backoff.reset()

    def _join(self, channel: Channel) -> None:
        self._to_join.append(channel)
        self._join_waiting()

    def _join_waiting(self) -> None:
        """Say hello for documents in their order, a few at once."""
        joining = sum(channel.phase is Phase.AUTHENTICATING for channel in self._channels.values())
        while self._to_join and joining < JOINING_AT_ONCE:
            channel = self._to_join.popleft()
            if channel in self and channel.phase is Phase.OFFLINE:
                channel.connected()
                joining += 1

    def _left(self, frame: hocuspocus.ServerFrame, next_channel: Channel | None) -> None:
        """Until the server has confirmed a farewell, what it says of that document is of its former life."""
        if not isinstance(frame.message, hocuspocus.CloseDocument):
            return
        if close_codes.parse_reason(frame.message.reason or "")[0] is not None:
            return  # the server ended it by itself at the same moment; the confirmation is to come
        self._leaving[frame.address] -= 1
        if not self._leaving[frame.address]:
            del self._leaving[frame.address]
            if next_channel is not None:
                self._join(next_channel)

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            departing, self._departing = self._departing, []
            for frame in departing:
                await socket.send(frame)
            if departing:
                self._farewell.notify()
            if not await self._send_channels(socket) and not self._departing:
                await self._wake.wait()

    async def _send_channels(self, socket: ClientConnection) -> bool:
        """One round over the documents; whether anything was sent."""
        sent = False
        for channel in self._all():
            epoch = channel.epoch
            for message in channel.take():
                if channel.epoch == epoch:  # else it joined anew meanwhile, and its count began again
                    await socket.send(hocuspocus.encode(channel.name, message))
                    sent = True
        return sent

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            for channel in self._all():
                channel.renew_presence()

    def _come_back(self, channel: Channel) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._join_later(channel))

    async def _join_later(self, channel: Channel) -> None:
        await asyncio.sleep(self._backoff.next_s())
        self._join(channel)

    def _token_wanted(self, channel: Channel) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._send_token(channel))

    async def _send_token(self, channel: Channel) -> None:
        """A fresh token where there is one; without it the server says why this document ends."""
        with contextlib.suppress(Unauthorized):
            await self.token.refresh()
        channel.authenticate_again()

    # why there is no socket

    def _ended(self, error: ConnectionClosed) -> None:
        code = error.rcvd.code if error.rcvd is not None else 1006
        reason = error.rcvd.reason if error.rcvd is not None else ""
        if close_codes.should_come_back(code):
            self._failed(reason or "The connection was lost.")
            return
        close, detail = close_codes.parse_reason(reason)
        self._stop_all(Stopped(close or close_codes.BY_CODE.get(code), detail))

    def _not_admitted(self, status: int) -> None:
        refusal = {401: close_codes.UNAUTHORIZED, 403: close_codes.FORBIDDEN}.get(status)
        if refusal is None:
            self._failed(f"The server answered with HTTP status {status}.")
        else:
            self._stop_all(Stopped(refusal, ""))

    def _stop_all(self, stopped: Stopped) -> None:
        self._failed(stopped.sentence)
        for channel in self._all():
            channel.stop(stopped)

    def _failed(self, problem: str) -> None:
        self.problem = problem
        self._failures += 1
        _log.debug("no connection to %s: %s", self.url, problem)
        self.on_change()

    def _all(self) -> list[Channel]:
        return list(self._channels.values())


def _nothing() -> None:
    """Nobody is listening."""


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The error that ended the socket; its other tasks failed for the same reason."""
    leaf = group.exceptions[0]
    return _first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf
