"""State vectors, client id -> next clock, read with our own eyes: pycrdt allocates what a count announces.

varUint(n), n x { varUint(client id) varUint(clock) }
"""

from __future__ import annotations

from collections.abc import Mapping

from threadline.protocol.errors import NotCanonical, Truncated
from threadline.protocol.varint import Reader, encode_uint

_LEAST_ENTRY_BYTES = 2


def decode_state_vector(data: bytes) -> dict[int, int]:
    """Raises a MalformedFrame for anything that Yjs would not have written."""
    reader = Reader(data)
    count = reader.read_uint()
    if count * _LEAST_ENTRY_BYTES > reader.remaining:
        raise Truncated("a state vector announces more than it has")
    clocks: dict[int, int] = {}
    for _ in range(count):
        client = reader.read_uint()
        clocks[client] = reader.read_uint()
    reader.expect_end()
    if len(clocks) != count:
        raise NotCanonical("a client id appears twice in one state vector")
    return clocks


def encode_state_vector(clocks: Mapping[int, int]) -> bytes:
    parts = [encode_uint(len(clocks))]
    for client, clock in clocks.items():
        parts.append(encode_uint(client))
        parts.append(encode_uint(clock))
    return b"".join(parts)


def clamp(theirs: Mapping[int, int], ours: Mapping[int, int]) -> dict[int, int]:
    """`theirs` without what we have never seen."""
    return {
        client: min(clock, ours[client]) for client, clock in theirs.items() if clock > 0 and client in ours
    }
