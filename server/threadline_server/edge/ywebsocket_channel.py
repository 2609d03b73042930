"""The y-websocket dialect on one socket: one document, admitted before the handshake was accepted."""

from __future__ import annotations

from typing import Final

from threadline.actors import Role
from threadline.protocol.limits import Limits
from threadline.protocol.ywebsocket import HEARTBEAT, decode_from_client
from threadline_server.edge.connection import Connection
from threadline_server.edge.document_channel import DocumentChannel, plain_bytes
from threadline_server.edge.encoders import YWEBSOCKET
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.frames import binary_frame

ENVELOPE_BYTES: Final = 16
"""More than type and length take around a payload."""

_HEARTBEAT: Final = binary_frame(HEARTBEAT)


class YWebSocketChannel(DocumentChannel):
    """Both the receiver of the socket and the member of the room."""

    __slots__ = ("_address", "_entrance", "_limits")

    def __init__(self, connection: Connection, entrance: Entrance, address: str = "") -> None:
        """`address` was counted by the entrance."""
        super().__init__(connection, YWEBSOCKET)
        self._address = address
        self._entrance = entrance
        self._limits = entrance.limits

    def receive(self, message: bytes) -> None:
        room = self.room
        if room is None:
            return
        if message[:2] == b"\x00\x02" and (update := plain_bytes(message, 2)) is not None:
            room.receive_update(self, update, whole=False)
        else:
            self.handle(room, decode_from_client(message, self._limits))

    def most_bytes(self, prefix: bytes) -> int:
        return most_sync_bytes(self, prefix[:2], self._limits)

    def heartbeat(self) -> bytes:
        return _HEARTBEAT

    def lost(self) -> None:
        self._entrance.addresses.leave(self._address)
        self.leave()

    def close_document(self, code: int, reason: str) -> None:
        self.room = None
        self._connection.close(code, reason)


def most_sync_bytes(channel: DocumentChannel, start: bytes, limits: Limits) -> int:
    """The largest message of a member that begins, after any address, with `start`."""
    carries_update = start in (b"\x00\x01", b"\x00\x02")
    if channel.room is not None and carries_update and channel.actor.role is not Role.VIEWER:
        return limits.max_step2_bytes + ENVELOPE_BYTES
    return limits.max_frame_bytes
