"""What a room asks of those who take part in it.

A *member* is one device's view of one document: a document channel of a socket, or a whole y-websocket
connection. The room calls it synchronously on the event loop and never waits for it. One that cannot keep
up says so with `congested`; the room then sends it nothing until somebody calls `Room.drained(member)`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from threadline.actors import Actor


class Encoder(Hashable, Protocol):
    """Frames of one dialect for one document address: complete WebSocket frames, ready for the transport.

    Encoders that are equal (and hash alike) give the same bytes, so the room frames once for all of them.
    Frames may be concatenated in one write. A dialect that has no such message gives back `b""`.
    """

    @property
    def greets(self) -> bool:
        """When the step 1 of the room goes out. True: once, at the join. False: before each of its step 2."""

    @property
    def acknowledges(self) -> bool:
        """The dialect has a message for what is saved."""

    def step1(self, state_vector: bytes, /) -> bytes: ...

    def step2(self, update: bytes, /) -> bytes: ...

    def update(self, update: bytes, /) -> bytes: ...

    def step2_head(self, size: int, /) -> bytes:
        """What stands before an update of `size` bytes in the frame that `step2` gives."""

    def update_head(self, size: int, /) -> bytes: ...

    def awareness(self, entries: bytes, /) -> bytes:
        """`entries` is an awareness update: varUint(n), then n of (client id, clock, JSON)."""

    def saved(self, count: int, /) -> bytes:
        """`count` times SyncStatus(1)."""

    def refused(self) -> bytes:
        """One SyncStatus(0)."""

    def stateless(self, payload: str, /) -> bytes: ...


class Member(Hashable, Protocol):
    """One device in one document. Compared by identity; the same object joins one room at a time."""

    @property
    def actor(self) -> Actor: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def congested(self) -> bool:
        """More than the high-water mark waits in the transport. Read at every write: make it an attribute.

        Whoever clears it calls `Room.drained(member)` afterwards.
        """

    def write(self, data: bytes, /) -> None:
        """Hand frames to the transport, the last of which the next write may go on with. Must not raise, also
        when the connection is gone.
        """

    def hold(self, held: bool, /) -> None:
        """True: stop reading from this device, the store is behind. False: go on. May be repeated."""

    def close_document(self, code: int, reason: str, /) -> None:
        """End this document for the device with a close code of `threadline.protocol.close_codes`.

        `reason` is `CloseCode.reason(detail)`. The room has removed the member before this; nothing is
        written to it afterwards.
        """
