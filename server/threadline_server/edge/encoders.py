"""The frames that rooms send, complete with their WebSocket header, in either dialect.

A room builds each frame once for all members whose encoders are equal.
"""

from __future__ import annotations

from functools import lru_cache

from threadline.protocol.varint import encode_text, encode_uint
from threadline_server.edge.frames import binary_frame, binary_header


def _framed(prefix: bytes, payload: bytes) -> bytes:
    """`prefix`, then `payload` as a byte string, in one binary message."""
    return _head(prefix, len(payload)) + payload


def _head(prefix: bytes, size: int) -> bytes:
    """What `_framed` puts before a payload of `size` bytes."""
    length = encode_uint(size)
    return binary_header(len(prefix) + len(length) + size) + prefix + length


class YWebSocketEncoder:
    """Has no state: `YWEBSOCKET` is the one there is."""

    __slots__ = ()

    @property
    def greets(self) -> bool:
        return True

    @property
    def acknowledges(self) -> bool:
        return False

    def step1(self, state_vector: bytes) -> bytes:
        return _framed(b"\x00\x00", state_vector)

    def step2(self, update: bytes) -> bytes:
        return _framed(b"\x00\x01", update)

    def update(self, update: bytes) -> bytes:
        return _framed(b"\x00\x02", update)

    def step2_head(self, size: int) -> bytes:
        return _head(b"\x00\x01", size)

    def update_head(self, size: int) -> bytes:
        return _head(b"\x00\x02", size)

    def awareness(self, entries: bytes) -> bytes:
        return _framed(b"\x01", entries)

    def saved(self, count: int) -> bytes:
        return b""

    def refused(self) -> bytes:
        return b""

    def stateless(self, payload: str) -> bytes:
        return b""


YWEBSOCKET = YWebSocketEncoder()


class HocuspocusEncoder:
    """Frames for one address; `for_address` gives the same object again for addresses in use."""

    __slots__ = ("_address", "_awareness", "_saved", "_step1", "_step2", "_update")

    def __init__(self, address: bytes) -> None:
        """`address` as it stands in the frame: a byte string with its length."""
        self._address = address
        self._step1 = address + b"\x00\x00"
        self._step2 = address + b"\x00\x01"
        self._update = address + b"\x00\x02"
        self._awareness = address + b"\x01"
        self._saved = binary_frame(address + b"\x08\x01")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HocuspocusEncoder) and other._address == self._address

    def __hash__(self) -> int:
        return hash(self._address)

    @property
    def greets(self) -> bool:
        return False

    @property
    def acknowledges(self) -> bool:
        return True

    def step1(self, state_vector: bytes) -> bytes:
        return _framed(self._step1, state_vector)

    def step2(self, update: bytes) -> bytes:
        return _framed(self._step2, update)

    def update(self, update: bytes) -> bytes:
        return _framed(self._update, update)

    def step2_head(self, size: int) -> bytes:
        return _head(self._step2, size)

    def update_head(self, size: int) -> bytes:
        return _head(self._update, size)

    def awareness(self, entries: bytes) -> bytes:
        return _framed(self._awareness, entries)

    def saved(self, count: int) -> bytes:
        return self._saved * count

    def refused(self) -> bytes:
        return self.other(b"\x08\x00")

    def stateless(self, payload: str) -> bytes:
        return self.other(b"\x05" + encode_text(payload))

    def other(self, body: bytes) -> bytes:
        """Any frame: `body` is what follows the address."""
        return binary_frame(self._address + body)


@lru_cache(maxsize=4096)
def for_address(address: bytes) -> HocuspocusEncoder:
    return HocuspocusEncoder(address)
