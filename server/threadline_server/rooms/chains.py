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
    Struct,
    malformed,
)

MANY: Final = 64
"""Pieces that are left as they are: an update of an honest device stays what it was."""

_MAX_FIRST_WRITES: Final = 256
"""Values that one client may put at one key in one update as if nothing was there. An honest one does so
once, and the library passes by all of them for each."""


class Joining:
    """Looks for chains, and joins them, so many structs at a time. Once `advance` gives True, `joined` is the
    same update with its chains joined; None where there are fewer than `many` links of them.

    Raises MalformedUpdate for an update that writes a key again and again as if nothing was there.
    """

    __slots__ = (
        "_at",
        "_contents",
        "_count",
        "_done_with",
        "_links",
        "_many",
        "_most_links",
        "_parsed",
        "_parts",
        "_section",
        "_size",
        "_writes",
        "_writing",
        "_written",
        "joined",
    )

    def __init__(self, parsed: ParsedUpdate, many: int = MANY) -> None:
        few = sum([len(section.structs) for section in parsed.sections]) < many
        self.joined: bytes | None = None
        self._parsed: ParsedUpdate = parsed
        self._many: int = many
        self._section: int = len(parsed.sections) if few else 0
        self._at: int = 0
        self._links: int = 0
        self._most_links: int = 0
        self._writes: dict[tuple[str, int, int, str], int] = {}
        self._done_with: dict[tuple[str, int, int, str], int] = {}
        self._writing: bool = False
        self._parts: list[bytes] = []
        self._written: list[bytes] = []
        self._contents: list[bytes] = []
        self._size: int = 0
        self._count: int = 0

    def advance(self, count: int) -> bool:
        """Look at about `count` more; whether that was the end."""
        sections = self._parsed.sections
        while count > 0:
            if self._done_with:
                count -= self._let_go(count)
            elif self._section < len(sections):
                count -= self._write(count) if self._writing else self._look(count)
            elif self._writing:
                self._parts.append(_deletes(self._parsed))
                self.joined = b"".join(self._parts)
                return True
            elif self._most_links < self._many:
                return True
            else:
                self._writing = True
                self._section = 0
                self._parts.append(encode_uint(len(sections)))
        return False

    def _look(self, most: int) -> int:
        """At structs of one section, for keys that are written too often and for links of chains."""
        structs = self._parsed.sections[self._section].structs
        data = self._parsed.data
        first = self._at
        last = min(len(structs), first + most)
        for at in range(first, last):
            item = structs[at]
            if item.key is not None:
                self._check_first_write(item, item.key)
            elif at and _continues(data, item, structs[at - 1]):
                self._links += 1
        self._at = last
        if last == len(structs):
            self._most_links = max(self._most_links, self._links)
            self._links = self._at = 0
            self._done_with, self._writes = self._writes, self._done_with
            self._section += 1
        return max(1, last - first)

    def _let_go(self, most: int) -> int:
        """Of what was counted: to free tens of thousands of keys takes milliseconds."""
        count = min(most, len(self._done_with))
        for _ in range(count):
            self._done_with.popitem()
        return count

    def _check_first_write(self, item: Struct, key: str) -> None:
        place = (item.root or "", item.parent_client, item.parent_clock, key)
        count = self._writes.get(place, 0) + 1
        if count > _MAX_FIRST_WRITES:
            malformed("a key is written too often as if nothing was there")
        self._writes[place] = count

    def _write(self, most: int) -> int:
        """Structs of one section, with its chains joined."""
        section = self._parsed.sections[self._section]
        structs = section.structs
        data = self._parsed.data
        first = self._at
        last = min(len(structs), first + most)
        for at in range(first, last):
            if self._contents and not _continues(data, structs[at], structs[at - 1]):
                self._end_chain(structs, at)
            self._take(data, structs[at])
        self._at = last
        if last == len(structs):
            if structs:
                self._end_chain(structs, last)
            clock = structs[0].clock if structs else 0
            self._parts += [encode_uint(self._count), encode_uint(section.client), encode_uint(clock)]
            self._parts += self._written
            self._written = []
            self._count = self._at = 0
            self._section += 1
        return max(1, last - first)

    def _take(self, data: bytes, item: Struct) -> None:
        """One more piece of the chain."""
        if item.ref == STRING or item.ref == ANY:
            content = data[_content(data, item) : item.end]
            self._size += len(content) if item.ref == STRING else item.length
            self._contents.append(content)
        else:
            self._contents.append(b"")

    def _end_chain(self, structs: list[Struct], end: int) -> None:
        """The chain is of the structs before `end`."""
        data = self._parsed.data
        contents = self._contents
        item = structs[end - len(contents)]
        if len(contents) == 1:
            self._written.append(data[item.start : item.end])
        else:
            self._written += [data[item.start : item.body], encode_uint(self._size), *contents]
        self._count += 1
        self._contents = []
        self._size = 0


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
