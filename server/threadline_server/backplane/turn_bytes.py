"""A turn as one run of bytes, the same in SQLite, in a Redis stream and on the channel between nodes.

    turn    = version node epoch count entry* check     version = 2
    entry   = user role at count range* update
    user, role, node, epoch = ref
    ref     = 0 length utf-8                             a string seen for the first time in this turn
            | n                                          the n-th string seen, counted from 1
    at      = ms of the first entry, then zigzag difference to the entry before
    range   = client start length
    update  = length bytes
    check   = CRC-32 of the document's name, then of everything before it; four bytes, little-endian

Version 1, which is still read, has no check.

Numbers are LEB128 varints without a sign. Clocks are stored the same way: pairs of client and end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from zlib import crc32

from threadline_server.backplane.base import ClockRange, Damaged, Entry, NodeId, Turn

VERSION: Final = 2
UNCHECKED_VERSION: Final = 1
CHECK_BYTES: Final = 4


class DamagedTurn(Damaged):
    """Stored bytes are not a turn: the store was changed by something else, or by a newer version."""

    code = "damaged_turn"


def _put(out: list[int], number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_ref(out: list[int], seen: dict[str, int], text: str) -> None:
    index = seen.get(text)
    if index is not None:
        _put(out, index)
        return
    seen[text] = len(seen) + 1
    data = text.encode()
    out.append(0)
    _put(out, len(data))
    out.extend(data)


def encode_turn(turn: Turn, document: str) -> bytes:
    """`turn` in the form above, as one of `document`."""
    parts: list[bytes] = []
    seen: dict[str, int] = {}
    out = _head(turn, seen)
    last_ms: int | None = None
    for entry in turn.entries:
        _put_actor(out, seen, entry)
        _put(out, entry.at_ms if last_ms is None else _zigzag(entry.at_ms - last_ms))
        last_ms = entry.at_ms
        _put_lengths(out, entry)
        parts += (bytes(out), entry.update)
        out = []
    parts.append(bytes(out))
    return _checked(parts, crc32(document.encode()))


class TurnEncoder:
    """Encodes turns of one document as `encode_turn` does, half of it once for all that one user makes."""

    __slots__ = ("_beginning", "_check", "_document", "_epoch", "_node", "_role", "_user")

    def __init__(self, document: str) -> None:
        self._document: str = document
        self._node: str = ""
        self._epoch: str = ""
        self._user: str = ""
        self._role: str = ""
        self._beginning: bytes = b""  # everything before the time
        self._check: int = 0  # of that

    def encode(self, turn: Turn) -> bytes:
        if len(turn.entries) != 1:
            return encode_turn(turn, self._document)
        entry = turn.entries[0]
        if not self._begins_so(turn, entry):
            self._begin(turn, entry)
        out: list[int] = []
        _put(out, entry.at_ms)
        _put_lengths(out, entry)
        return self._beginning + _checked([bytes(out), entry.update], self._check)

    def _begins_so(self, turn: Turn, entry: Entry) -> bool:
        if not self._beginning or turn.epoch != self._epoch or turn.node != self._node:
            return False
        return entry.user == self._user and entry.role == self._role

    def _begin(self, turn: Turn, entry: Entry) -> None:
        self._node, self._epoch, self._user, self._role = turn.node, turn.epoch, entry.user, entry.role
        seen: dict[str, int] = {}
        out = _head(turn, seen)
        _put_actor(out, seen, entry)
        self._beginning = bytes(out)
        self._check = crc32(self._beginning, crc32(self._document.encode()))


def _head(turn: Turn, seen: dict[str, int]) -> list[int]:
    out = [VERSION]
    _put_ref(out, seen, turn.node)
    _put_ref(out, seen, turn.epoch)
    _put(out, len(turn.entries))
    return out


def _put_actor(out: list[int], seen: dict[str, int], entry: Entry) -> None:
    _put_ref(out, seen, entry.user)
    _put_ref(out, seen, entry.role)


def _put_lengths(out: list[int], entry: Entry) -> None:
    """What stands between the time and the update itself."""
    _put(out, len(entry.ranges))
    for span in entry.ranges:
        _put(out, span.client)
        _put(out, span.start)
        _put(out, span.end - span.start)
    _put(out, len(entry.update))


def _checked(parts: list[bytes], check: int) -> bytes:
    """`check` is that of what stands before them."""
    for part in parts:
        check = crc32(part, check)
    return b"".join([*parts, check.to_bytes(CHECK_BYTES, "little")])


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else -number * 2 - 1


def _unzigzag(number: int) -> int:
    return number >> 1 if not number & 1 else -(number + 1 >> 1)


class _Reader:
    """Reads numbers, strings and runs of bytes up to `end`; raises IndexError or DamagedTurn at the end of
    the data.
    """

    __slots__ = ("data", "end", "offset", "seen")

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.end = end
        self.offset = 0
        self.seen: list[str] = []

    def number(self) -> int:
        data, offset = self.data, self.offset
        byte = data[offset]
        offset += 1
        value = byte & 0x7F
        shift = 7
        while byte > 0x7F:
            byte = data[offset]
            offset += 1
            value |= (byte & 0x7F) << shift
            shift += 7
        self.offset = offset
        return value

    def run(self) -> bytes:
        length = self.number()
        end = self.offset + length
        if end > self.end:
            raise DamagedTurn("A stored turn ends in the middle of its data.")
        run = self.data[self.offset : end]
        self.offset = end
        return run

    def ref(self) -> str:
        index = self.number()
        if index:
            return self.seen[index - 1]
        text = self.run().decode()
        self.seen.append(text)
        return text

    def ranges(self) -> tuple[ClockRange, ...]:
        spans = []
        for _ in range(self.number()):
            client, start, length = self.number(), self.number(), self.number()
            spans.append(ClockRange(client, start, start + length))
        return tuple(spans)


def node_of(data: bytes) -> NodeId:
    """Who wrote an encoded turn, without reading the rest. Raises DamagedTurn."""
    reader = _Reader(data, len(data))
    reader.offset = 1
    try:
        return NodeId(reader.ref())
    except (IndexError, UnicodeDecodeError) as error:
        raise DamagedTurn("A stored turn cannot be read.") from error


def decode_turn(data: bytes, document: str) -> Turn:
    """The turn of `document` that `encode_turn` wrote. Raises DamagedTurn."""
    reader = _Reader(data, _checked_end(data, document))
    reader.offset = 1
    try:
        turn = _read_turn(reader)
    except (IndexError, UnicodeDecodeError) as error:
        raise DamagedTurn("A stored turn cannot be read.") from error
    if reader.offset != reader.end:
        raise DamagedTurn("A stored turn is followed by bytes that do not belong to it.")
    return turn


def _checked_end(data: bytes, document: str) -> int:
    """Where `data` ends without its check."""
    version = data[0] if data else 0
    if version == UNCHECKED_VERSION:
        return len(data)
    if version != VERSION:
        raise DamagedTurn(f"A stored turn is of a version other than {VERSION}.")
    end = max(0, len(data) - CHECK_BYTES)
    if crc32(memoryview(data)[:end], crc32(document.encode())) != int.from_bytes(data[end:], "little"):
        raise DamagedTurn(f"A stored turn is not what was written, or not one of {document}.")
    return end


def _read_turn(reader: _Reader) -> Turn:
    node, epoch = NodeId(reader.ref()), reader.ref()
    entries = []
    at_ms: int | None = None
    for _ in range(reader.number()):
        user, role = reader.ref(), reader.ref()
        at_ms = reader.number() if at_ms is None else at_ms + _unzigzag(reader.number())
        entries.append(Entry(user, role, reader.ranges(), reader.run(), at_ms))
    return Turn(node, epoch, tuple(entries))


def encode_clocks(clocks: Mapping[int, int]) -> bytes:
    """`clocks`, the end of what is known of each client id, as bytes."""
    out: list[int] = []
    for client, end in sorted(clocks.items()):
        _put(out, client)
        _put(out, end)
    return bytes(out)


def decode_clocks(data: bytes) -> dict[int, int]:
    """The clocks that `encode_clocks` wrote. Raises DamagedTurn."""
    reader = _Reader(data, len(data))
    clocks: dict[int, int] = {}
    try:
        while reader.offset < len(data):
            client = reader.number()
            clocks[client] = reader.number()
    except IndexError as error:
        raise DamagedTurn("Stored clocks end in the middle of a number.") from error
    return clocks


def advance(clocks: dict[int, int], turns: Iterable[Turn]) -> dict[int, int]:
    """`clocks`, changed in place to where they end after `turns`."""
    for turn in turns:
        for entry in turn.entries:
            for span in entry.ranges:
                if span.end > clocks.get(span.client, 0):
                    clocks[span.client] = span.end
    return clocks


def encode_parts(parts: Iterable[bytes]) -> bytes:
    """Runs of bytes one after another, each with its length."""
    out: list[bytes] = []
    for part in parts:
        length: list[int] = []
        _put(length, len(part))
        out += (bytes(length), part)
    return b"".join(out)


def decode_parts(data: bytes) -> list[bytes]:
    """The runs that `encode_parts` was given. Raises DamagedTurn."""
    reader = _Reader(data, len(data))
    parts = []
    try:
        while reader.offset < len(data):
            parts.append(reader.run())
    except IndexError as error:
        raise DamagedTurn("Stored bytes end in the middle of a number.") from error
    return parts
