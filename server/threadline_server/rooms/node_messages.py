"""What rooms of one document say to each other across nodes, none of it kept.

kind byte, 16 bytes that name the room which speaks, then for PRESENCE an awareness update.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from threadline.protocol.errors import Truncated, UnknownMessage

PRESENCE: Final = 0
WHO_IS_HERE: Final = 1
SPEAKER_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class NodeMessage:
    kind: int
    speaker: bytes
    entries: bytes = b""


def encode_node_message(message: NodeMessage) -> bytes:
    return bytes((message.kind,)) + message.speaker + message.entries


def decode_node_message(data: bytes) -> NodeMessage:
    """Raises a MalformedFrame."""
    if len(data) < 1 + SPEAKER_BYTES:
        raise Truncated("a message between nodes ends too early")
    if data[0] not in (PRESENCE, WHO_IS_HERE):
        raise UnknownMessage(f"message {data[0]} between nodes")
    return NodeMessage(data[0], data[1 : 1 + SPEAKER_BYTES], data[1 + SPEAKER_BYTES :])
