"""Strings and values that one update brings in many small pieces, put together before they are judged.

Pieces of one client that follow each other, each after the last unit of the one before and before the same
right origin, are one item at every replica in the end (Yjs, `Item.mergeWith`). yrs puts them together from
the last to the first, copying what it has each time: 65,000 values of one update would take it minutes. So a
long chain is written as the one piece that it becomes.
"""

from __future__ import annotations

from typing import Final

from threadline.protocol.varint import encode_uint
from threadline_server.rooms.update_reader import (
    ANY,
    HAS_KEY,
    STRING,
    ParsedUpdate,
    Section,
    Struct,
    malformed,
)

MANY: Final = 64
"""Pieces that are left as they are: an update of an honest device stays what it was."""

_MAX_FIRST_WRITES: Final = 256
"""Values that one client may put at one key in one update as if nothing was there. An honest one does so
once, and the library passes by all of them for each."""


def join_chains(parsed: ParsedUpdate, many: int = MANY) -> bytes | None:
    """The same update with its chains joined; None where there are fewer than `many` links of them.

    Raises MalformedUpdate for an update that writes a key again and again as if nothing was there.
    """
    if sum([len(section.structs) for section in parsed.sections]) < many:
        return None
    _check_first_writes(parsed)
    if max([_links(parsed.data, section) for section in parsed.sections]) < many:
        return None
    parts = [encode_uint(len(parsed.sections))]
    for section in parsed.sections:
        _write(parsed.data, section, parts)
    parts.append(_deletes(parsed))
    return b"".join(parts)


def _check_first_writes(parsed: ParsedUpdate) -> None:
    for section in parsed.sections:
        writes: dict[tuple[str, int, int, str], int] = {}
        for item in section.structs:
            key = item.key
            if key is None:
                continue
            place = (item.root or "", item.parent_client, item.parent_clock, key)
            count = writes.get(place, 0) + 1
            if count > _MAX_FIRST_WRITES:
                malformed("a key is written too often as if nothing was there")
            writes[place] = count


def _continues(data: bytes, item: Struct, before: Struct) -> bool:
    """Whether `item` is more of what `before` is."""
    return (
        item.ref == before.ref
        and item.ref in (STRING, ANY)
        and item.origin_client == item.client
        and item.origin_clock == item.clock - 1
        and item.right_client == before.right_client
        and item.right_clock == before.right_clock
        and not (data[item.start] | data[before.start]) & HAS_KEY
        and before.key is None
    )


def _links(data: bytes, section: Section) -> int:
    """How many structs are more of the one before."""
    structs = section.structs
    count = 0
    for at in range(1, len(structs)):
        if _continues(data, structs[at], structs[at - 1]):
            count += 1
    return count


def _write(data: bytes, section: Section, parts: list[bytes]) -> None:
    """The section with its chains joined."""
    structs = section.structs
    written: list[bytes] = []
    count = 0
    at = 0
    while at < len(structs):
        last = at + 1
        while last < len(structs) and _continues(data, structs[last], structs[last - 1]):
            last += 1
        written.append(_joined(data, structs, at, last))
        count += 1
        at = last
    clock = structs[0].clock if structs else 0
    parts += [encode_uint(count), encode_uint(section.client), encode_uint(clock), *written]


def _joined(data: bytes, structs: list[Struct], first: int, last: int) -> bytes:
    item = structs[first]
    if last == first + 1:
        return data[item.start : item.end]
    contents = [data[_content(data, each) : each.end] for each in structs[first:last]]
    if item.ref == STRING:
        size = sum([len(content) for content in contents])
    else:
        size = sum([each.length for each in structs[first:last]])
    return b"".join([data[item.start : item.body], encode_uint(size), *contents])


def _content(data: bytes, item: Struct) -> int:
    """Where the content begins behind the number that says how much of it there is."""
    position = item.body
    while data[position] >= 0x80:
        position += 1
    return position + 1


def _deletes(parsed: ParsedUpdate) -> bytes:
    by_client: dict[int, list[bytes]] = {}
    for client, clock, length in parsed.deletes:
        by_client.setdefault(client, []).append(encode_uint(clock) + encode_uint(length))
    parts = [encode_uint(len(by_client))]
    for client, ranges in by_client.items():
        parts += [encode_uint(client), encode_uint(len(ranges)), *ranges]
    return b"".join(parts)
