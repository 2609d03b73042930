"""What the server itself writes: a message's place and time, and the schema version of a new session.

A stamp goes into the turn that creates the message. It is encoded here, not made in a document: two values at
keys of the message's map, under one client id per node and document.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from threadline.ids import new_client_id
from threadline.protocol.varint import Reader, encode_int, encode_text, encode_uint
from threadline_server.backplane.base import ClockRange, DocumentName, NodeId

MESSAGES: Final = "messages"
META: Final = "meta"
SEQ: Final = "seq"
RECEIVED_AT: Final = "received_at"
SCHEMA: Final = "schema"

_ANY_WITH_KEY: Final = 0x28  # content of kind 8, with a key, without origins
_IN_ID: Final = bytes((_ANY_WITH_KEY, 0))
_IN_ROOT: Final = bytes((_ANY_WITH_KEY, 1))
_INTEGER: Final = b"\x7d"
_FLOAT64: Final = b"\x7b"
_STRING: Final = b"\x77"
_ARRAY: Final = b"\x75"
_SEQ_AT: Final = encode_text(SEQ) + b"\x01" + _ARRAY + b"\x02"
_SEQ_IS: Final = _SEQ_AT + _INTEGER
_RECEIVED_AT: Final = encode_text(RECEIVED_AT) + b"\x01"
_NO_DELETES: Final = b"\x00"


def server_client(node: NodeId, document: DocumentName) -> int:
    """The client id under which `node` stamps in `document`: the same after a restart, to keep them few."""
    digest = hashlib.blake2s(f"{node}\n{document}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") or new_client_id()


def stamp_update(
    client: int, clock: int, messages: Sequence[tuple[int, int]], first: int, node: str, received_at_ms: int
) -> tuple[bytes, ClockRange]:
    """Two values in each map that is an item of `messages` (client, clock), numbered from `first` on."""
    structs = []
    by = _STRING + encode_text(node)
    received = _RECEIVED_AT + _number(received_at_ms)
    for number, (of, at) in enumerate(messages, first):
        parent = _IN_ID + encode_uint(of) + encode_uint(at)
        structs += [parent + _SEQ_AT + _number(number) + by, parent + received]
    return _update(client, clock, structs)


def highest_seq(update: bytes) -> int:
    """The highest number that `stamp_update` put into `update`: its last; 0 where it is no stamp."""
    at = update.rfind(_SEQ_IS)
    return Reader(update, at + len(_SEQ_IS)).read_int() if at >= 0 else 0


def schema_update(client: int, clock: int, version: int) -> tuple[bytes, ClockRange]:
    """`meta.schema`."""
    value = encode_uint(1) + _number(version)
    return _update(client, clock, [_IN_ROOT + encode_text(META) + encode_text(SCHEMA) + value])


def _update(client: int, clock: int, structs: Sequence[bytes]) -> tuple[bytes, ClockRange]:
    header = encode_uint(1) + encode_uint(len(structs)) + encode_uint(client) + encode_uint(clock)
    return header + b"".join(structs) + _NO_DELETES, ClockRange(client, clock, clock + len(structs))


def _number(value: int) -> bytes:
    """As lib0 writes a whole number."""
    if abs(value) < 1 << 31:
        return _INTEGER + encode_int(value)
    return _FLOAT64 + struct.pack(">d", value)
