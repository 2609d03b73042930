"""Writes an update that has what the gate accepted of another one, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from threadline.protocol.varint import encode_uint
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
    utf16_length,
)


class Accepted:
    """What was accepted of one section: always structs one after the other, from `data_start` to `data_end`.

    `first` is set where the first of them was known in part; its first `known` units are left out. `gone` are
    (start, end, units) of those whose place is gone: they are passed on as collected, which is what Yjs makes
    of them. (yrs keeps them with their content, in no place, where nothing can delete it.)
    """

    __slots__ = ("client", "clock", "count", "data_end", "data_start", "first", "gone", "known")

    def __init__(self, client: int, clock: int) -> None:
        self.client: int = client
        self.clock: int = clock
        self.count: int = 0
        self.first: Struct | None = None
        self.known: int = 0
        self.data_start: int = 0
        self.data_end: int = 0
        self.gone: list[tuple[int, int, int]] = []


def write_update(data: bytes, accepted: Sequence[Accepted], deletes: Sequence[tuple[int, int, int]]) -> bytes:
    """`accepted` refers to positions in `data`; `deletes` are (client, first clock, end)."""
    parts = [encode_uint(len(accepted))]
    for section in accepted:
        parts.append(encode_uint(section.count))
        parts.append(encode_uint(section.client))
        parts.append(encode_uint(section.clock))
        if section.first is not None:
            parts.append(trim(data, section.first, section.known))
        position = section.data_start
        for start, end, units in section.gone:
            parts.append(data[position:start])
            parts.append(bytes((GC,)) + encode_uint(units))
            position = end
        parts.append(data[position : section.data_end])
    _write_deletes(parts, deletes)
    return b"".join(parts)


def _write_deletes(parts: list[bytes], deletes: Sequence[tuple[int, int, int]]) -> None:
    by_client: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in deletes:
        by_client.setdefault(client, []).append((start, end))
    parts.append(encode_uint(len(by_client)))
    for client, ranges in by_client.items():
        merged = merge_ranges(ranges)
        parts.append(encode_uint(client))
        parts.append(encode_uint(len(merged)))
        for start, end in merged:
            parts.append(encode_uint(start))
            parts.append(encode_uint(end - start))


def merge_ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, and joined where they touch."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def trim(data: bytes, item: Struct, known: int) -> bytes:
    """The struct without its first `known` units, as Yjs writes the rest of a struct that a peer has in part.

    Raises MalformedUpdate where that cuts a surrogate pair.
    """
    rest = item.length - known
    if item.ref == GC:
        return bytes((GC,)) + encode_uint(rest)
    info = item.ref | HAS_ORIGIN | data[item.start] & (HAS_RIGHT | HAS_KEY)
    parts = [bytes((info,)), encode_uint(item.client), encode_uint(item.clock + known - 1)]
    if item.right_client >= 0:
        parts.append(encode_uint(item.right_client))
        parts.append(encode_uint(item.right_clock))
    if item.ref == DELETED:
        parts.append(encode_uint(rest))
    elif item.ref == STRING:
        parts.append(_trim_string(data, item, known))
    else:
        parts.append(encode_uint(rest))
        parts.append(_trim_values(data, item, known))
    return b"".join(parts)


def cut_string(text: str, units: int) -> str:
    """`text` from its UTF-16 unit `units` on. Raises MalformedUpdate inside a surrogate pair."""
    at = 0
    while units > 0:
        units -= 2 if text[at] > "\uffff" else 1
        at += 1
    if units:
        malformed("a struct that is known in part would be cut inside a character")
    return text[at:]


def _trim_string(data: bytes, item: Struct, known: int) -> bytes:
    text = item.text
    if text is None:
        return encode_uint(item.length - known) + data[item.end - (item.length - known) : item.end]
    raw = cut_string(text, known).encode()
    assert utf16_length(text) == item.length
    return encode_uint(len(raw)) + raw


def _trim_values(data: bytes, item: Struct, known: int) -> bytes:
    reader = UpdateReader(data, DEFAULT_GATE_LIMITS, False)
    reader.position = item.body
    reader.uint()
    assert item.ref == ANY
    for _ in range(known):
        reader.any(0)
    return data[reader.position : item.end]
