"""What can be wrong with bytes from a peer, under `ProtocolError`.

ProtocolError
└── MalformedFrame      the bytes are not a frame of this protocol
    ├── Truncated       they end too early
    ├── TrailingBytes   they go on after the frame's end
    ├── NotCanonical    a number in more bytes than it needs, or beyond 2^53 - 1
    ├── InvalidText     not UTF-8, or not the JSON that is expected there
    ├── UnknownMessage  a type this direction of this dialect does not have
    └── Oversized       longer than the bound that applies; carries the bound
"""

from __future__ import annotations

from threadline.errors import ProtocolError


class MalformedFrame(ProtocolError):
    code = "malformed_frame"


class Truncated(MalformedFrame):
    code = "truncated_frame"


class TrailingBytes(MalformedFrame):
    code = "trailing_bytes"


class NotCanonical(MalformedFrame):
    code = "not_canonical"


class InvalidText(MalformedFrame):
    code = "invalid_text"


class UnknownMessage(MalformedFrame):
    code = "unknown_message"


class Oversized(MalformedFrame):
    code = "oversized"

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size} exceeds the limit of {limit}")
        self.size = size
        self.limit = limit
