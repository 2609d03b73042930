"""The primitives of lib0, which all Yjs dialects are made of.

* varUint: seven bits a byte, least significant first, the high bit says that more follow; at most 2^53 - 1.
* varInt: as varUint, but the first byte carries the sign in bit 6 and only six bits of the number.
* bytes and strings: their length in bytes as a varUint, then the bytes (UTF-8 for a string).

Reading is strict: what lib0 would not have written is an error, so that a frame has exactly one reading.
Source: https://github.com/dmonad/lib0, `encoding.js` and `decoding.js`.
"""

from __future__ import annotations

from typing import Final

from threadline.protocol.errors import InvalidText, NotCanonical, Oversized, TrailingBytes, Truncated
from threadline.protocol.limits import MAX_SAFE_INTEGER

_MAX_SHIFT: Final = 49
"""Seven full groups are 49 bits; an eighth reaches 2^53 - 1 and none may follow."""

_SINGLE: Final = tuple(bytes((value,)) for value in range(0x80))


def encode_uint(value: int) -> bytes:
    """`value` as a varUint. Raises ValueError outside 0 to 2^53 - 1."""
    if 0 <= value < 0x80:
        return _SINGLE[value]
    if not 0 <= value <= MAX_SAFE_INTEGER:
        raise ValueError(f"a varUint holds 0 to 2^53 - 1, not {value}")
    return _continued(bytearray(), value)


def encode_int(value: int) -> bytes:
    """`value` as a varInt. Raises ValueError beyond plus or minus 2^53 - 1."""
    magnitude = abs(value)
    if magnitude > MAX_SAFE_INTEGER:
        raise ValueError(f"a varInt holds up to 2^53 - 1 either way, not {value}")
    first = (0x40 if value < 0 else 0) | (magnitude & 0x3F)
    if magnitude < 0x40:
        return bytes((first,))
    return _continued(bytearray((first | 0x80,)), magnitude >> 6)


def _continued(out: bytearray, value: int) -> bytes:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_bytes(data: bytes) -> bytes:
    """`data` after its length."""
    return encode_uint(len(data)) + data


def encode_text(text: str) -> bytes:
    """`text` as UTF-8 after its length in bytes. Raises UnicodeEncodeError for a lone surrogate."""
    return encode_bytes(text.encode())


class Reader:
    """Reads primitives from one frame, front to back; every method raises a `MalformedFrame`."""

    __slots__ = ("data", "position")

    data: bytes
    position: int

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def remaining(self) -> int:
        return len(self.data) - self.position

    def read_byte(self) -> int:
        position = self.position
        if position >= len(self.data):
            raise Truncated("the frame ends where a byte is expected")
        self.position = position + 1
        return self.data[position]

    def read_uint(self) -> int:
        first = self.read_byte()
        return first if first < 0x80 else self._read_rest(first & 0x7F, 7)

    def read_int(self) -> int:
        first = self.read_byte()
        magnitude = first & 0x3F
        if first & 0x80:
            magnitude = self._read_rest(magnitude, 6)
        if not first & 0x40:
            return magnitude
        if magnitude == 0:
            raise NotCanonical("minus zero")
        return -magnitude

    def _read_rest(self, value: int, shift: int) -> int:
        data, position = self.data, self.position
        while True:
            if position >= len(data):
                raise Truncated("the frame ends where a byte is expected")
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > _MAX_SHIFT:
                raise NotCanonical("a number of more than eight bytes")
        if byte == 0:
            raise NotCanonical("a number in more bytes than it needs")
        if value > MAX_SAFE_INTEGER:
            raise NotCanonical("a number beyond 2^53 - 1")
        self.position = position
        return value

    def read_bytes(self, limit: int, what: str = "byte string") -> bytes:
        """The next byte string, of at most `limit` bytes; checked before anything is copied."""
        start = self.pass_by_bytes(limit, what)
        return self.data[start : self.position]

    def pass_by_bytes(self, limit: int, what: str = "byte string") -> int:
        """Where the next byte string begins, which is checked as `read_bytes` does and left unread."""
        size = self.read_uint()
        if size > limit:
            raise Oversized(what, size, limit)
        start = self.position
        if size > len(self.data) - start:
            raise Truncated(f"{what} ends too early")
        self.position = start + size
        return start

    def read_text(self, limit: int, what: str = "text") -> str:
        """The next string, of at most `limit` bytes of UTF-8."""
        data = self.read_bytes(limit, what)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise InvalidText(f"{what} is not UTF-8") from error

    def expect_end(self) -> None:
        if self.position != len(self.data):
            raise TrailingBytes(f"{self.remaining} bytes after the end of the frame")
