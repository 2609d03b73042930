"""A delete set, as it stands at the end of an update: which clocks of each client id are deleted.

    delete set = clients (client count (clock length)*)*      all varUints

Source: yjs 13.6, `src/utils/DeleteSet.js`.
"""

from __future__ import annotations

from threadline.protocol.varint import Reader, encode_uint

AT_ONCE = 256  # looked up, not folded by the compiler: tests make it small
"""Ranges of one part."""


class _Ranges:
    """Of one client id: written as they come while they come in order, so that the end of a large update is
    not the moment in which all of them are.
    """

    __slots__ = ("_count", "_end", "_late", "_out", "_start")

    def __init__(self) -> None:
        self._start: int = -1  # of the last one, which may grow
        self._end: int = -1
        self._out: bytearray = bytearray()
        self._count: int = 0
        self._late: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        if start > self._end:
            self._write()
            self._start = start
            self._end = end
        elif start < self._start:
            self._late.append((start, end))
        elif end > self._end:
            self._end = end

    def _write(self) -> None:
        if self._start >= 0:
            self._out += encode_uint(self._start)
            self._out += encode_uint(self._end - self._start)
            self._count += 1

    def end(self, client: int) -> bytes:
        """Nothing is added after that."""
        self._write()
        if self._late:
            self._put_in_order()
        return b"".join((encode_uint(client), encode_uint(self._count), self._out))

    def _put_in_order(self) -> None:
        ranges, self._late = self._late, []
        reader = Reader(bytes(self._out))
        for _ in range(self._count):
            start = reader.read_uint()
            ranges.append((start, start + reader.read_uint()))
        self._start = self._end = -1
        self._count = 0
        self._out = bytearray()
        for start, end in sorted(ranges):
            self.add(start, end)
        self._write()


class DeleteSet:
    """`count` ranges were added."""

    __slots__ = ("_by_client", "count")

    def __init__(self) -> None:
        self._by_client: dict[int, _Ranges] = {}
        self.count: int = 0

    def add(self, client: int, start: int, end: int) -> None:
        ranges = self._by_client.get(client)
        if ranges is None:
            ranges = self._by_client[client] = _Ranges()
        ranges.add(start, end)
        self.count += 1

    def encode(self) -> bytes:
        """As above, each client's in order and joined where they touch. Called once, in the end."""
        parts = [encode_uint(len(self._by_client))]
        for client, ranges in self._by_client.items():
            parts.append(ranges.end(client))
        return b"".join(parts)


class DeleteParts:
    """A delete set as updates of some ranges each."""

    __slots__ = ("_client", "_clients", "_ranges", "_reader")

    def __init__(self, data: bytes, position: int = 0) -> None:
        """The one at `position` in `data`. Raises MalformedFrame."""
        self._reader: Reader = Reader(data, position)
        self._clients: int = self._reader.read_uint()
        self._client: int = 0
        self._ranges: int = 0

    def next(self) -> bytes | None:
        """The next part; None after the last. Raises MalformedFrame."""
        reader = self._reader
        while not self._ranges:
            if not self._clients:
                return None
            self._clients -= 1
            self._client = reader.read_uint()
            self._ranges = reader.read_uint()
        count = min(self._ranges, AT_ONCE)
        self._ranges -= count
        start = reader.position
        for _ in range(count):
            reader.read_uint()
            reader.read_uint()
        ranges = reader.data[start : reader.position]
        return b"".join((b"\x00\x01", encode_uint(self._client), encode_uint(count), ranges))
