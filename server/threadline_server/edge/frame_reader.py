"""WebSocket frames that a client sends, cut out of the byte stream; knows no socket.

A frame's size is judged when its header arrives, before its payload is kept. Only binary messages are taken;
text, extensions and unmasked frames are refused. Source: RFC 6455, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from threadline.protocol.errors import MalformedFrame
from threadline_server.edge.frames import BINARY, CLOSE, CONTINUATION, TEXT

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without a wheel
    from websockets.utils import apply_mask

_unmask: Final = apply_mask  # what is imported is looked up by its name each time
PREFIX_BYTES: Final = 640
"""What `grant` gets to see of a large message: enough for an address and a message type."""

_MASKED: Final = 0x80
_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_PLAIN: Final = 0x82  # a whole binary message
_SMALLEST: Final = 6  # two bytes of header, four of mask
_LARGE_BYTES: Final = 16 * 1024
"""From here on a copy takes longer than a view of the same bytes."""


def _refuse(size: int, prefix: bytes) -> None:
    raise MalformedFrame("nothing more is read")


class FrameReader:
    """`feed` bytes, then call `next` until it gives None.

    `grant(size, prefix)` is asked once for each message that exceeds `free_bytes`; it raises to refuse.
    """

    __slots__ = ("_allowed", "_data", "_fragments", "_free_bytes", "_grant", "_position", "opcode")

    opcode: int
    """Of the payload that `next` gave last; CONTINUATION for a fragment that completes no message."""

    def __init__(self, free_bytes: int, grant: Callable[[int, bytes], None]) -> None:
        self._data: bytes | bytearray = b""
        self._position = 0
        self._fragments: bytearray | None = None
        self._free_bytes = free_bytes
        self._allowed = free_bytes
        self._grant = grant
        self.opcode = CONTINUATION

    def forget(self) -> None:
        """Nothing more is read: let go of what is buffered, and of who is asked for grants."""
        self._data = b""
        self._position = 0
        self._fragments = None
        self._grant = _refuse

    def feed(self, data: bytes) -> None:
        rest = len(self._data) - self._position
        if not rest:
            self._data = data
        elif isinstance(self._data, bytearray):
            del self._data[: self._position]
            self._data += data
        else:
            self._data = bytearray(self._data[self._position :])
            self._data += data
        self._position = 0

    @property
    def has_more(self) -> bool:
        """Whether bytes are left that no `next` has consumed; they may be half a frame."""
        return self._position < len(self._data)

    def next(self) -> bytes | None:
        """The payload of the next message or control frame; None until more is fed. Raises MalformedFrame."""
        data = self._data
        start = self._position
        if isinstance(data, bytes) and (message := self._plain(data, start)) is not None:
            return message
        if len(data) - start < _SMALLEST:
            return None
        first = data[start]
        size = data[start + 1] - _MASKED
        if first & _RESERVED or size < 0:
            raise MalformedFrame("a frame with reserved bits, or without a mask")
        body = start + 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            body += wide
            if len(data) < body + 4:
                return None
            size = int.from_bytes(data[start + 2 : body], "big")
        opcode = first & 0x0F
        if opcode >= CLOSE:
            if size > 125 or not first & _FINAL:
                raise MalformedFrame("a control frame that is fragmented or too long")
        elif size > self._allowed and not self._judge(size, body):
            return None
        end = body + 4 + size
        if end > len(data):
            return None
        self._position = end
        masked = data[body + 4 : end] if size < _LARGE_BYTES else memoryview(data)[body + 4 : end]
        payload = _unmask(masked, data[body : body + 4])
        if opcode == BINARY and first & _FINAL and self._fragments is None:
            self.opcode = BINARY
            self._allowed = self._free_bytes
            return payload
        return self._unusual(opcode, first & _FINAL != 0, payload)

    def _plain(self, data: bytes, start: int) -> bytes | None:
        """The message at `start` where it is small and all of it is here, as nearly always; else None."""
        body = start + _SMALLEST
        if len(data) < body or data[start] != _PLAIN or self._fragments is not None:
            return None
        size = data[start + 1] - _MASKED
        end = body + size
        if not 0 <= size < 126 or size > self._allowed or end > len(data):
            return None
        self._position = end
        self._allowed = self._free_bytes
        self.opcode = BINARY
        return _unmask(data[body:end], data[start + 2 : body])

    def _judge(self, size: int, body: int) -> bool:
        """False until enough of a large message is here to ask for its grant."""
        gathered = self._fragments or b""
        mask = self._data[body : body + 4]
        seen = self._data[body + 4 : body + 4 + min(size, PREFIX_BYTES)]
        if len(seen) < min(size, PREFIX_BYTES):
            return False
        total = len(gathered) + size
        self._grant(total, bytes(gathered[:PREFIX_BYTES]) or _unmask(seen, mask))
        self._allowed = size
        return True

    def _unusual(self, opcode: int, final: bool, payload: bytes) -> bytes:
        """A control frame or a fragment."""
        self.opcode = opcode
        if opcode >= CLOSE:
            return payload
        if opcode == TEXT:
            raise MalformedFrame("a text message; this protocol is binary")
        if opcode > BINARY or (opcode == CONTINUATION) != (self._fragments is not None):
            raise MalformedFrame("a frame of unknown kind, or a fragment out of place")
        if self._fragments is None:
            self._fragments = bytearray()
        self._fragments += payload
        self._allowed = max(0, self._free_bytes - len(self._fragments))
        if not final:
            self.opcode = CONTINUATION
            return b""
        self.opcode = BINARY
        message = bytes(self._fragments)
        self._fragments = None
        self._allowed = self._free_bytes
        return message
