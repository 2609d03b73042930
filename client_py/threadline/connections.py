"""The sockets of a client: as many as its documents need, since a server takes a bounded number on each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from threadline.backoff import Backoff
from threadline.channel import Channel
from threadline.connection import Connection
from threadline.errors import ConfigurationError
from threadline.protocol.limits import DEFAULT_LIMITS
from threadline.token import Token

RETIRE_TIMEOUT_S = 2.0


class Connections:
    """Hold `run` in a task group. The first socket stays; a further one is closed with its last document.

    max_documents:  documents on one socket, as the server says; its default until it has
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.token = token
        self.max_documents = DEFAULT_LIMITS.max_documents_per_socket
        self.on_change: Callable[[], None] = _nothing
        waits = backoff if backoff is not None else Backoff()
        self._make = partial(_connection, url, token, waits, tls)
        self._place: dict[str, Connection] = {}
        self._running: dict[Connection, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._sockets: list[Connection] = []
        self._open_another()

    @property
    def sockets(self) -> int:
        return len(self._sockets)

    @property
    def is_open(self) -> bool:
        return any(socket.is_open for socket in self._sockets)

    @property
    def problem(self) -> str:
        """Why a socket is missing right now, in words; empty while none is."""
        return next((socket.problem for socket in self._sockets if socket.problem), "")

    def has_failed(self, document: str) -> bool:
        """The last attempt at this document's socket ended without one, so it is offline for now."""
        socket = self._place.get(document)
        return socket is not None and socket.has_failed

    def add(self, channel: Channel) -> None:
        """Join a document. Raises ConfigurationError where it is joined already."""
        if channel.name in self._place:
            raise ConfigurationError(f"The document {channel.name} is open on this client already.")
        with_room = (socket for socket in self._sockets if socket.documents < self.max_documents)
        socket = next(with_room, None)
        if socket is None:
            socket = self._open_another()
        self._place[channel.name] = socket
        socket.add(channel)

    def remove(self, channel: Channel) -> None:
        """Leave a document: it is told to the server, and nothing of it is received any more."""
        socket = self._place.get(channel.name)
        if socket is None or channel not in socket:
            return
        socket.remove(channel)
        del self._place[channel.name]
        if socket is not self._sockets[0] and socket not in self._place.values():
            self._sockets.remove(socket)
            if self._tasks is not None:
                self._tasks.create_task(self._retire(socket))

    def rejoin(self, channel: Channel) -> None:
        """Say hello for a document that is new or starts over, if there is a socket."""
        if (socket := self._place.get(channel.name)) is not None:
            socket.rejoin(channel)

    async def say_farewell(self, timeout_s: float) -> None:
        """Wait, bounded, until the server was told of the documents that were left."""
        await asyncio.gather(*(socket.say_farewell(timeout_s) for socket in self._running))

    def allow(self, limits: Mapping[str, float]) -> None:
        """What a server's hello says of its limits."""
        self.max_documents = max(1, int(limits.get("max_documents_per_socket", self.max_documents)))

    def hurry(self) -> None:
        """Do not wait for the next attempt: the network is back, or somebody asks."""
        for socket in self._sockets:
            socket.hurry()

    async def run(self) -> None:
        """Keep the sockets open that there are documents for, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for socket in self._sockets:
                    self._start(socket)
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def _open_another(self) -> Connection:
        socket = self._make()
        socket.on_change = self._changed
        self._sockets.append(socket)
        if self._tasks is not None:
            self._start(socket)
        return socket

    def _start(self, socket: Connection) -> None:
        assert self._tasks is not None
        task = self._running[socket] = self._tasks.create_task(socket.run())
        task.add_done_callback(lambda _: self._ended(socket))

    def _ended(self, socket: Connection) -> None:
        del self._running[socket]

    async def _retire(self, socket: Connection) -> None:
        await socket.say_farewell(RETIRE_TIMEOUT_S)
        if (running := self._running.get(socket)) is not None:
            running.cancel()

    def _changed(self) -> None:
        self.on_change()


def _connection(url: str, token: Token, waits: Backoff, tls: ssl.SSLContext | None) -> Connection:
    return Connection(url, token, backoff=replace(waits), tls=tls)


def _nothing() -> None:
    """Nobody is listening."""
