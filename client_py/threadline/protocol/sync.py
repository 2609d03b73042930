"""The sync messages of y-protocols: the part that both dialects share.

step 1    0 varBytes(state vector)    "this is what I have"
step 2    1 varBytes(update)          "this is what you lack", the answer to a step 1
update    2 varBytes(update)          "this is new"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from threadline.protocol.errors import UnknownMessage
from threadline.protocol.limits import DEFAULT_LIMITS, Limits
from threadline.protocol.varint import Reader, encode_bytes

STEP1: Final = 0
STEP2: Final = 1
UPDATE: Final = 2

EMPTY_STATE_VECTOR: Final = b"\x00"
EMPTY_UPDATE: Final = b"\x00\x00"


@dataclass(frozen=True, slots=True)
class SyncStep1:
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class SyncStep2:
    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    update: bytes


SyncMessage = SyncStep1 | SyncStep2 | Update


def read_sync(reader: Reader, limits: Limits = DEFAULT_LIMITS) -> SyncMessage:
    """The sync message at the reader, which must end the frame. The payload itself is the gate's to judge."""
    kind = reader.read_uint()
    message: SyncMessage
    if kind == UPDATE:
        message = Update(reader.read_bytes(limits.max_step2_bytes, "update"))
    elif kind == STEP2:
        message = SyncStep2(reader.read_bytes(limits.max_step2_bytes, "step 2"))
    elif kind == STEP1:
        message = SyncStep1(reader.read_bytes(limits.max_state_vector_bytes, "state vector"))
    else:
        raise UnknownMessage(f"sync message {kind}")
    reader.expect_end()
    return message


def encode_sync(message: SyncMessage) -> bytes:
    match message:
        case SyncStep1(state_vector):
            return b"\x00" + encode_bytes(state_vector)
        case SyncStep2(update):
            return b"\x01" + encode_bytes(update)
        case Update(update):
            return b"\x02" + encode_bytes(update)
