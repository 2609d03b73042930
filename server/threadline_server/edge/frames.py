"""WebSocket frames that a server sends: unmasked, unfragmented, uncompressed, each built once as bytes.

Source: RFC 6455, section 5.
"""

from __future__ import annotations

from typing import Final

from threadline.protocol.close_codes import fit_reason

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

PING_FRAME: Final = b"\x89\x00"

_SMALL: Final = 126
_HEADERS: Final = tuple(bytes((0x80 | BINARY, size)) for size in range(_SMALL))


def binary_header(size: int) -> bytes:
    """The header of a binary message of `size` bytes."""
    if size < _SMALL:
        return _HEADERS[size]
    if size < 0x10000:
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")


def binary_frame(payload: bytes) -> bytes:
    return binary_header(len(payload)) + payload


def pong_frame(payload: bytes) -> bytes:
    """`payload` is a ping's, at most 125 bytes."""
    return bytes((0x80 | PONG, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """The reason is cut to what a control frame holds."""
    payload = code.to_bytes(2, "big") + fit_reason(reason)
    return bytes((0x80 | CLOSE, len(payload))) + payload
