"""Whether the log has something else under clocks that a sender used: two histories of one client id.

Unit by unit: a struct may be cut differently in the log, and what was deleted there since may be gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from threadline_server.backplane.base import Entry
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.state_vector import encode_state_vector
from threadline_server.rooms.update_reader import DELETED, GC, SKIP, STRING, ParsedUpdate, Struct, read_update

Id: TypeAlias = tuple[int, int]
Unit: TypeAlias = tuple[Id, Id, int, object] | None
"""(origin, right origin, kind of content, the unit's own content); None where it is gone."""


def is_forked(replica: Replica, entry: Entry) -> bool:
    """Whether `replica` has another content than `entry` at any clock that both have."""
    clocks = dict(replica.clocks())
    for extent in entry.ranges:
        if extent.client in clocks:
            clocks[extent.client] = min(extent.start, clocks[extent.client])
    theirs = dict(_units(_parse(entry.update)))
    return any(
        unit is not None and theirs.get(place, unit) not in (unit, None)
        for place, unit in _units(_parse(replica.update_from(encode_state_vector(clocks))))
    )


def _parse(update: bytes) -> ParsedUpdate:
    return read_update(update, DEFAULT_GATE_LIMITS, whole=True)


def _units(parsed: ParsedUpdate) -> Iterator[tuple[Id, Unit]]:
    for section in parsed.sections:
        for item in section.structs:
            if item.ref != SKIP:
                yield from _units_of(parsed.data, item)


def _units_of(data: bytes, item: Struct) -> Iterator[tuple[Id, Unit]]:
    contents = _contents(data, item)
    for offset in range(item.length):
        clock = item.clock + offset
        if item.ref in (GC, DELETED):
            yield (item.client, clock), None
            continue
        origin = (item.client, clock - 1) if offset else (item.origin_client, item.origin_clock)
        right = (item.right_client, item.right_clock)
        yield (item.client, clock), (origin, right, item.ref, contents[offset])


def _contents(data: bytes, item: Struct) -> list[object]:
    if item.ref in (GC, DELETED):
        return []
    if item.values is not None:
        return list(item.values)
    if item.ref == STRING:
        return list(_utf16_units(data, item))
    return [data[item.body : item.end]]


def _utf16_units(data: bytes, item: Struct) -> Iterator[int]:
    text = item.text if item.text is not None else data[item.end - item.length : item.end].decode()
    encoded = text.encode("utf-16-le", "surrogatepass")
    for at in range(0, len(encoded), 2):
        yield encoded[at] | encoded[at + 1] << 8
