"""Writes an update that has what the gate accepted of another one, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from threadline.protocol.varint import encode_uint
from threadline_server.rooms.delete_set import DeleteParts
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.update_reader import (
    ANY,
    DELETED,
    GC,
    HAS_KEY,
    HAS_ORIGIN,
    HAS_RIGHT,
    STRING,
    Struct,
    UpdateReader,
    malformed,
)


class Accepted:
    """What was accepted of one section: always structs one after the other, from `data_start` to `data_end`.

    `changes` are (start, end, bytes that take the place of these).
    """

    __slots__ = ("changes", "client", "clock", "count", "data_end", "data_start")

    def __init__(self, client: int, clock: int) -> None:
        self.client: int = client
        self.clock: int = clock
        self.count: int = 0
        self.data_start: int = 0
        self.data_end: int = 0
        self.changes: list[tuple[int, int, bytes]] = []

    @property
    def full(self) -> bool:
        """As large as a part of an update is to be."""
        return self.count >= PIECE_STRUCTS or self.data_end - self.data_start >= PIECE_BYTES


PIECE_STRUCTS = 64  # looked up, not folded by the compiler, as MANY_PIECES: tests make them small
PIECE_BYTES: Final = 64 * 1024
NO_DELETES: Final = b"\x00"
MANY_PIECES = 4
"""Of so many pieces an update is also given in parts."""


class Parts:
    """What was accepted, as updates of some structs each that say the same one after the other: an update
    that is large keeps the document library busy for as long as it is large.
    """

    __slots__ = ("_at", "_data", "_deletes", "pieces")

    def __init__(self, data: bytes, pieces: Sequence[Accepted], deletes: bytes) -> None:
        """`pieces` come in the order in which each has what it refers to; `deletes` is a delete set."""
        self.pieces: Sequence[Accepted] = pieces
        self._data: bytes = data
        self._deletes: DeleteParts = DeleteParts(deletes)
        self._at: int = 0

    def next(self) -> bytes | None:
        """The next part; None after the last."""
        at = self._at
        if at == len(self.pieces):
            return self._deletes.next()
        self._at = at + 1
        return write_update(self._data, self.pieces[at : at + 1], NO_DELETES)


def write_update(data: bytes, accepted: Sequence[Accepted], deletes: bytes) -> bytes:
    """`accepted` refers to positions in `data`; `deletes` is a delete set."""
    parts = [encode_uint(len(accepted))]
    for section in accepted:
        parts.append(encode_uint(section.count))
        parts.append(encode_uint(section.client))
        parts.append(encode_uint(section.clock))
        position = section.data_start
        for start, end, instead in section.changes:
            parts.append(data[position:start])
            parts.append(instead)
            position = end
        parts.append(data[position : section.data_end])
    parts.append(deletes)
    return b"".join(parts)


def write_collected(units: int) -> bytes:
    return bytes((GC,)) + encode_uint(units)


def write_struct(data: bytes, item: Struct, known: int) -> bytes:
    """The struct with the origins that it has now, of which there is one, and without its first `known`
    units.

    It is what Yjs writes for a peer that has the struct in part. Raises MalformedUpdate where that cuts a
    surrogate pair.
    """
    info = item.ref | data[item.start] & HAS_KEY
    parts = [b""]
    if item.origin_client >= 0:
        info |= HAS_ORIGIN
        parts += [encode_uint(item.origin_client), encode_uint(item.origin_clock)]
    if item.right_client >= 0:
        info |= HAS_RIGHT
        parts += [encode_uint(item.right_client), encode_uint(item.right_clock)]
    parts[0] = bytes((info,))
    parts.append(_rest(data, item, known) if known else data[item.body : item.end])
    return b"".join(parts)


def write_at_key(data: bytes, item: Struct, known: int) -> bytes:
    """The struct, which is at a key, without its first `known` units; its content may have become DELETED."""
    if known:
        item.origin_client = item.client
        item.origin_clock = item.clock + known - 1
        return write_struct(data, item, known)
    info = bytes((data[item.start] & 0xE0 | item.ref,))
    content = encode_uint(item.length) if item.ref == DELETED else data[item.body : item.end]
    return info + data[item.start + 1 : item.body] + content


def _rest(data: bytes, item: Struct, known: int) -> bytes:
    rest = item.length - known
    if item.ref == DELETED:
        return encode_uint(rest)
    if item.ref == STRING:
        return _rest_of_string(data, item, known)
    return encode_uint(rest) + _rest_of_values(data, item, known)


def cut_string(text: str, units: int) -> str:
    """`text` from its UTF-16 unit `units` on. Raises MalformedUpdate inside a surrogate pair."""
    at = 0
    while units > 0:
        units -= 2 if text[at] > "\uffff" else 1
        at += 1
    if units:
        malformed("a struct that is known in part would be cut inside a character")
    return text[at:]


def _rest_of_string(data: bytes, item: Struct, known: int) -> bytes:
    text = item.text
    if text is None:
        return encode_uint(item.length - known) + data[item.end - (item.length - known) : item.end]
    raw = cut_string(text, known).encode()
    return encode_uint(len(raw)) + raw


def _rest_of_values(data: bytes, item: Struct, known: int) -> bytes:
    reader = UpdateReader(data, DEFAULT_GATE_LIMITS, False)
    reader.position = item.body
    reader.uint()
    assert item.ref == ANY
    for _ in range(known):
        reader.any(0)
    return data[reader.position : item.end]
