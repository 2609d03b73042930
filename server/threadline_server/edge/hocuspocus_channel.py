"""One document in the Hocuspocus dialect: waiting -> opening -> open -> closed.

Frames that come before it is open are queued, within bounds; those of a closed one are dropped until another
token comes, because a stock provider goes on sending.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Protocol

from threadline.actors import Role
from threadline.errors import Forbidden
from threadline.protocol import close_codes
from threadline.protocol.close_codes import BY_CODE, CloseCode
from threadline.protocol.credentials import Credentials, parse_credentials
from threadline.protocol.hocuspocus import (
    Authenticate,
    Authenticated,
    ClientMessage,
    CloseDocument,
    Message,
    Ping,
    Pong,
    Scope,
    Stateless,
    TokenRequested,
    encode_body,
    split_address,
)
from threadline.protocol.ywebsocket import PermissionDenied
from threadline_server.backplane.base import SessionRecord
from threadline_server.edge.admission import Pass
from threadline_server.edge.connection import Connection, Dismissed
from threadline_server.edge.document_channel import DocumentChannel
from threadline_server.edge.encoders import for_address
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.refusal import refusal_of
from threadline_server.rooms.room import Room

PROVIDER_INITIATED = "provider_initiated"
"""What Hocuspocus answers to a client that closes a document."""


class Stage(Enum):
    WAITING = auto()
    OPENING = auto()
    OPEN = auto()
    CLOSED = auto()


class Socket(Protocol):
    """What a channel needs of the socket it is on."""

    query_token: str

    def queue(self, size: int, /) -> None:
        """`size` more bytes wait (fewer, when negative). Raises Dismissed where that is too many."""

    def forget(self, channel: HocuspocusChannel, /) -> None: ...

    def opened(self, version: str | None, /) -> None: ...

    def denied(self) -> None: ...


class HocuspocusChannel(DocumentChannel):
    __slots__ = (
        "_entrance",
        "_frames",
        "_queue",
        "_queued_bytes",
        "_socket",
        "_task",
        "address",
        "since_s",
        "stage",
    )

    def __init__(
        self, socket: Socket, connection: Connection, entrance: Entrance, address: bytes, since_s: float
    ) -> None:
        """`address` as in the frame, with its length; `since_s` is when it began to wait for a token."""
        self._frames = for_address(address)
        super().__init__(connection, self._frames)
        self._socket = socket
        self._entrance = entrance
        self._queue: list[ClientMessage] = []
        self._queued_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.address = address
        self.since_s = since_s
        self.stage = Stage.WAITING

    def receive(self, name: str, message: ClientMessage, size: int) -> None:
        """One message of `size` bytes for the address `name`. Raises Dismissed."""
        if self.stage is Stage.OPEN:
            self._take(name, message)
        elif isinstance(message, CloseDocument):
            self._close_as_asked()
        elif isinstance(message, Authenticate) and self.stage is not Stage.OPENING:
            self.stage = Stage.OPENING
            self._task = self._entrance.spawn(self._open, name, message, self._connection.account)
        elif self.stage is not Stage.CLOSED:
            self._enqueue(message, size)

    def abandon(self) -> None:
        """The socket is gone, or the client closed the document."""
        self._end()

    def close_document(self, code: int, reason: str) -> None:
        self.room = None
        if BY_CODE[code].comes_back:  # a stock provider comes back with the socket only
            self._connection.close(code, reason)
            return
        self._entrance.connections.note_closing(code)
        self._end()
        self.send(CloseDocument(reason))

    def regrant(self, role: Role, record: SessionRecord) -> None:
        super().regrant(role, record)
        if self.room is not None:
            self._greet(Pass(self.room.name, self.actor, record, self.principal))

    def want_token(self) -> None:
        super().want_token()
        self.send(TokenRequested())

    def send(self, message: Message) -> None:
        self.write(self._frames.other(encode_body(message)))

    # before it is open

    def _enqueue(self, message: ClientMessage, size: int) -> None:
        if len(self._queue) >= self._entrance.limits.max_pending_frames:
            raise Dismissed(close_codes.NOT_AUTHENTICATED)
        self._socket.queue(size)
        self._queued_bytes += size
        self._queue.append(message)

    def _take_queue(self) -> list[ClientMessage]:
        queue, self._queue = self._queue, []
        self._socket.queue(-self._queued_bytes)
        self._queued_bytes = 0
        return queue

    async def _open(self, name: str, message: Authenticate) -> None:
        try:
            credentials, in_url = self._credentials(message)
            admission = self._entrance.admission
            admitted, room = await admission.admit(split_address(name)[0], credentials, in_url=in_url)
        except Exception as error:  # noqa: BLE001 - answered with a code, and logged when unforeseen
            self._task = None
            self._refuse(*refusal_of(error))
            return
        self._task = None
        self._socket.opened(message.version)
        self._admit(name, admitted, room)

    def _credentials(self, message: Authenticate) -> tuple[Credentials, bool]:
        """What the device presents, and whether it stood in the address."""
        return parse_credentials(message.token or self._socket.query_token), not message.token

    def _admit(self, name: str, admitted: Pass, room: Room) -> None:
        self.stage = Stage.OPEN
        self._greet(admitted)
        try:
            self.enter(room, admitted, self._entrance.users)
            for message in self._take_queue():
                if self.stage is Stage.OPEN:
                    self._take(name, message)
        except Exception as error:  # noqa: BLE001 - as for a message that came just now
            self._connection.fail(error)

    def _greet(self, admitted: Pass) -> None:
        """Say what the device may do, and all that stock clients have no field for."""
        granted = self._frames.other(encode_body(_granted(admitted.actor.role)))
        self.write(granted + self._frames.stateless(self._entrance.admission.hello(admitted)))

    def _refuse(self, close: CloseCode, detail: str) -> None:
        if close.comes_back:
            self._connection.close_with(close, detail)
            return
        self._entrance.connections.note_closing(close.code)
        self._end()
        self.send(PermissionDenied(close.reason(detail)))
        self._socket.denied()

    # while it is open

    def _take(self, name: str, message: ClientMessage) -> None:
        room = self.room
        if room is None or isinstance(message, Ping | Pong | Stateless):
            return
        if isinstance(message, CloseDocument):
            self._close_as_asked()
        elif isinstance(message, Authenticate):
            if self._task is None:
                self._task = self._entrance.spawn(self._renew, name, message, self._connection.account)
        else:
            self.handle(room, message)

    async def _renew(self, name: str, message: Authenticate) -> None:
        """A fresh token for an open document: it must be the same user's."""
        try:
            credentials, in_url = self._credentials(message)
            async with asyncio.timeout(self._entrance.limits.authentication_deadline_s):
                admitted = await self._entrance.admission.check(
                    split_address(name)[0], credentials, in_url=in_url
                )
            if admitted.actor.user != self.actor.user:
                raise Forbidden("This document was opened by another user; close it first.")
        except Exception as error:  # noqa: BLE001 - answered with a code, and logged when unforeseen
            self._task = None
            self._refuse(*refusal_of(error))
            return
        self._task = None
        if admitted.principal.expires_s != self.principal.expires_s:
            self.token_wanted = False
        former, self.actor = self.actor, admitted.actor
        self.principal = admitted.principal
        if former.role is admitted.actor.role:
            self.send(_granted(former.role))
        else:
            self._greet(admitted)

    def _close_as_asked(self) -> None:
        self.abandon()
        self._socket.forget(self)
        self.send(CloseDocument(PROVIDER_INITIATED))

    def _end(self) -> None:
        """A check of a token that is under way is of no use any more, and must not end the next one."""
        self.stage = Stage.CLOSED
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self.leave()
        self._take_queue()


def _granted(role: Role) -> Authenticated:
    return Authenticated(Scope.READONLY if role is Role.VIEWER else Scope.READ_WRITE)
