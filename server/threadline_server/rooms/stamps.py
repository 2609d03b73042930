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
_PARENT_IS_ID: Final = b"\x00"
_PARENT_IS_ROOT: Final = b"\x01"
_INTEGER: Final = b"\x7d"
_FLOAT64: Final = b"\x7b"
_STRING: Final = b"\x77"
_ARRAY: Final = b"\x75"
_SEQ_IS: Final = b"\x03" + SEQ.encode() + b"\x01" + _ARRAY + b"\x02" + _INTEGER
_NO_DELETES: Final = b"\x00"


def server_client(node: NodeId, document: DocumentName) -> int:
    """The client id under which `node` stamps in `document`: the same after a restart, to keep them few."""
    digest = hashlib.blake2s(f"{node}\n{document}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") or new_client_id()


def stamp_update(
    client: int, clock: int, messages: Sequence[tuple[int, int]], first: int, node: str, received_at_ms: int
) -> tuple[bytes, ClockRange]:
    """Two values in each map that is an item of `messages` (client, clock), numbered from `first` on."""
    values = []
    received = _number(received_at_ms)
    for number, (of, at) in enumerate(messages, first):
        parent = _PARENT_IS_ID + encode_uint(of) + encode_uint(at)
        place = _ARRAY + encode_uint(2) + _number(number) + _STRING + encode_text(node)
        values += [(parent, SEQ, place), (parent, RECEIVED_AT, received)]
    return _update(client, clock, values)


def highest_seq(update: bytes) -> int:
    """The highest number that `stamp_update` put into `update`: its last; 0 where it is no stamp."""
    at = update.rfind(_SEQ_IS)
    return Reader(update, at + len(_SEQ_IS)).read_int() if at >= 0 else 0


def schema_update(client: int, clock: int, version: int) -> tuple[bytes, ClockRange]:
    """`meta.schema`."""
    return _update(client, clock, [(_PARENT_IS_ROOT + encode_text(META), SCHEMA, _number(version))])


def _update(client: int, clock: int, values: Sequence[tuple[bytes, str, bytes]]) -> tuple[bytes, ClockRange]:
    structs = [
        bytes((_ANY_WITH_KEY,)) + parent + encode_text(key) + encode_uint(1) + value
        for parent, key, value in values
    ]
    header = encode_uint(1) + encode_uint(len(structs)) + encode_uint(client) + encode_uint(clock)
    return header + b"".join(structs) + _NO_DELETES, ClockRange(client, clock, clock + len(structs))


def _number(value: int) -> bytes:
    """As lib0 writes a whole number."""
    if abs(value) < 1 << 31:
        return _INTEGER + encode_int(value)
    return _FLOAT64 + struct.pack(">d", value)
