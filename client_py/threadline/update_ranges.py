"""What a Yjs v1 update adds and what it builds on, read without a document.

pycrdt keeps an update whose dependencies are missing as pending and can then lose text (its order of
integration differs from Yjs'), so a replica asks this module first and applies only what is next. The format
is that of `encodeStateAsUpdate` of Yjs: per client a run of structs, then a delete set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from threadline.errors import ProtocolError

_GC, _DELETED, _JSON, _BINARY, _STRING, _EMBED, _FORMAT, _TYPE, _ANY, _DOC, _SKIP = range(11)
_NAMED_TYPES = (3, 5)  # an XML element and an XML hook carry their name
_MAX_NESTING = 200


@dataclass(slots=True)
class UpdateRanges:
    """`adds`: client id -> (first clock, one past the last); `needs`: -> one past the last clock used."""

    adds: dict[int, tuple[int, int]] = field(default_factory=dict)
    needs: dict[int, int] = field(default_factory=dict)
    skips: bool = False

    def fits(self, clocks: dict[int, int]) -> bool:
        """Whether a replica with these `clocks` (client id -> next clock) can integrate it at once."""
        if self.skips or any(start > clocks.get(client, 0) for client, (start, _) in self.adds.items()):
            return False
        return all(
            clock <= max(clocks.get(client, 0), self.adds.get(client, (0, 0))[1])
            for client, clock in self.needs.items()
        )


def read_ranges(update: bytes) -> UpdateRanges:
    """The ranges of `update`. Raises ProtocolError where it is cut short or of an unknown kind."""
    try:
        return _Walk(update).run()
    except IndexError:
        raise ProtocolError("An update ends in the middle of a struct.") from None


def read_state_vector(data: bytes) -> dict[int, int]:
    """Client id -> next clock. Raises ProtocolError."""
    try:
        walk = _Walk(data)
        return {walk.uint(): walk.uint() for _ in range(walk.count())}
    except IndexError:
        raise ProtocolError("A state vector is cut short.") from None


class _Walk:
    """One pass over an update. Raises IndexError past the end."""

    __slots__ = ("at", "data", "ranges")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.ranges = UpdateRanges()

    def run(self) -> UpdateRanges:
        for _ in range(self.count()):
            self._section()
        for _ in range(self.count()):
            client = self.uint()
            for _ in range(self.count()):
                clock = self.uint()
                self._need(client, clock + self.uint())
        return self.ranges

    def uint(self) -> int:
        byte = self.data[self.at]
        self.at += 1
        value, shift = byte & 0x7F, 7
        while byte & 0x80:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 70:
                raise ProtocolError("A number in an update is too long.")
        return value

    def count(self) -> int:
        """A number of things that follow; each takes at least one byte, which bounds the loops."""
        value = self.uint()
        if value > len(self.data) - self.at:
            raise ProtocolError("An update announces more than it has.")
        return value

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > len(self.data):
            raise IndexError

    def _string(self) -> str:
        length = self.uint()
        start = self.at
        self._skip(length)
        return self.data[start : self.at].decode("utf-8", "replace")

    def _need(self, client: int, clock_after: int) -> None:
        if clock_after > self.ranges.needs.get(client, 0):
            self.ranges.needs[client] = clock_after

    def _section(self) -> None:
        structs, client, clock = self.count(), self.uint(), self.uint()
        start = clock
        for _ in range(structs):
            clock += self._struct()
        self.ranges.adds[client] = (start, clock)

    def _struct(self) -> int:
        info = self.data[self.at]
        self.at += 1
        kind = info & 0x1F
        if kind in (_GC, _SKIP):
            self.ranges.skips |= kind == _SKIP
            return self.uint()
        self._dependencies(info)
        return self._content(kind)

    def _dependencies(self, info: int) -> None:
        if info & 0x80:
            self._need(self.uint(), self.uint() + 1)
        if info & 0x40:
            self._need(self.uint(), self.uint() + 1)
        if info & 0xC0:
            return
        if self.uint() == 1:
            self._string()
        else:
            self._need(self.uint(), self.uint() + 1)
        if info & 0x20:
            self._string()

    def _content(self, kind: int) -> int:
        """Skip a content and give back how many clocks it takes."""
        if kind == _STRING:
            return len(self._string().encode("utf-16-le")) // 2
        if kind == _DELETED:
            return self.uint()
        if kind in (_ANY, _JSON):
            length = self.count()
            for _ in range(length):
                self._any() if kind == _ANY else self._string()
            return length
        self._single(kind)
        return 1

    def _single(self, kind: int) -> None:
        if kind == _TYPE:
            if self.uint() in _NAMED_TYPES:
                self._string()
        elif kind in (_BINARY, _EMBED):
            self._string()
        elif kind == _FORMAT:
            self._string()
            self._string()
        elif kind == _DOC:
            self._string()
            self._any()
        else:
            raise ProtocolError(f"An update has a content of kind {kind}, which is not known here.")

    def _any(self, depth: int = 0) -> None:
        if depth > _MAX_NESTING:
            raise ProtocolError("A value in an update is nested too deep.")
        tag = self.data[self.at]
        self.at += 1
        if tag == 125:
            self.uint()
        elif tag in (119, 116):
            self._string()
        elif tag in (122, 123):
            self._skip(8)
        elif tag == 124:
            self._skip(4)
        elif tag == 118:
            for _ in range(self.count()):
                self._string()
                self._any(depth + 1)
        elif tag == 117:
            for _ in range(self.count()):
                self._any(depth + 1)
        elif not 120 <= tag <= 127:
            raise ProtocolError(f"A value in an update has the unknown tag {tag}.")
