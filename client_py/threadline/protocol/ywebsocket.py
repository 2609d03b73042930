"""The y-websocket dialect: one document per socket, one frame per binary WebSocket message.

    0 sync              a sync message
    1 awareness         varBytes(awareness update)
    2 auth              varUint(0) varString(reason): permission denied, server to client only
    3 query awareness   the receiver answers with every state it knows

Source: https://github.com/yjs/y-protocols, PROTOCOL.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from threadline.protocol.errors import UnknownMessage
from threadline.protocol.limits import DEFAULT_LIMITS, Limits
from threadline.protocol.sync import SyncMessage, SyncStep1, SyncStep2, Update, encode_sync, read_sync
from threadline.protocol.varint import Reader, encode_bytes, encode_text

SYNC: Final = 0
AWARENESS: Final = 1
AUTH: Final = 2
QUERY_AWARENESS: Final = 3

PERMISSION_DENIED: Final = 0

MAX_REASON_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class AwarenessUpdate:
    """`update` is an awareness update, see `threadline.protocol.awareness`."""

    update: bytes


@dataclass(frozen=True, slots=True)
class PermissionDenied:
    reason: str


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    pass


ClientMessage = SyncMessage | AwarenessUpdate | QueryAwareness
ServerMessage = ClientMessage | PermissionDenied

HEARTBEAT: Final = b"\x01\x01\x00"
"""An awareness update without entries: no client reacts, but y-websocket sees that the server lives."""


def decode_from_client(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> ClientMessage:
    """The message of one frame that a device sent. Raises a MalformedFrame."""
    reader = Reader(frame)
    kind = reader.read_uint()
    if kind == SYNC:
        return read_sync(reader, limits)
    if kind == AWARENESS:
        return _read_awareness(reader, limits)
    if kind == QUERY_AWARENESS:
        reader.expect_end()
        return QueryAwareness()
    raise UnknownMessage(f"y-websocket message {kind} from a client")


def decode_from_server(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> ServerMessage:
    """The message of one frame that a server sent. Raises a MalformedFrame."""
    if frame[:1] != b"\x02":
        return decode_from_client(frame, limits)
    reader = Reader(frame, 1)
    kind = reader.read_uint()
    if kind != PERMISSION_DENIED:
        raise UnknownMessage(f"auth message {kind}")
    message = PermissionDenied(reader.read_text(MAX_REASON_BYTES, "reason"))
    reader.expect_end()
    return message


def _read_awareness(reader: Reader, limits: Limits) -> AwarenessUpdate:
    message = AwarenessUpdate(reader.read_bytes(limits.max_awareness_bytes, "awareness"))
    reader.expect_end()
    return message


def encode(message: ServerMessage) -> bytes:
    """The frame of `message`; the same in both directions."""
    match message:
        case SyncStep1() | SyncStep2() | Update():
            return b"\x00" + encode_sync(message)
        case AwarenessUpdate(update):
            return b"\x01" + encode_bytes(update)
        case PermissionDenied(reason):
            return b"\x02\x00" + encode_text(reason)
        case QueryAwareness():
            return b"\x03"
