"""Every socket of this node: how many there may be, who is still alive, and what large messages may take."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from threadline.protocol.close_codes import BY_CODE
from threadline.protocol.limits import Limits
from threadline_server.rooms.turns import Turns


class Beating(Protocol):
    """What the rounds call on each connection."""

    def beat(self, most_silent: int, /) -> None: ...

    def leave(self, /) -> None: ...


class Connections:
    """Visits each connection once per heartbeat, a few at a time, so that no timer is kept per connection.

    frame_s, byte_s: what a frame and a byte take from a sender at the sustained rate
    frames_per_turn: as in `limits`, at hand for what is asked of each read, as `burst_s` is
    """

    _SLICES = 40

    def __init__(self, limits: Limits, max_connections: int, turns: Turns | None = None) -> None:
        self.limits = limits
        self.turns = turns or Turns()
        self.frame_s: float = 1.0 / limits.frames_per_second
        self.byte_s: float = 1.0 / limits.bytes_per_second
        self.burst_s: float = limits.burst_s
        self.frames_per_turn: int = limits.frames_per_turn
        self._max_connections = max_connections
        self._slices: list[set[Beating]] = [set() for _ in range(self._SLICES)]
        self._turn = 0
        self._count = 0
        self._large_bytes = 0
        self._accepted_total = 0
        self.closed_total = 0
        self.closings: dict[str, int] = {close.name: 0 for close in BY_CODE.values()} | {"other": 0}
        self._most_silent = max(1, math.ceil(limits.idle_timeout_s / limits.heartbeat_s))

    @property
    def full(self) -> bool:
        return self._count >= self._max_connections

    def __len__(self) -> int:
        return self._count

    def add(self, connection: Beating) -> int:
        """Gives back the slice, which `discard` needs."""
        slice_number = self._accepted_total % self._SLICES
        self._slices[slice_number].add(connection)
        self._count += 1
        self._accepted_total += 1
        return slice_number

    def discard(self, connection: Beating, slice_number: int) -> None:
        self._slices[slice_number].discard(connection)
        self._count -= 1
        self.closed_total += 1

    def note_closing(self, code: int) -> None:
        """A document, a token or a socket was turned away with this code."""
        close = BY_CODE.get(code)
        name = "other" if close is None else close.name
        self.closings[name] = self.closings.get(name, 0) + 1

    def reserve(self, size: int) -> bool:
        """Room for a large message of `size` bytes, until `release`."""
        if self._large_bytes + size > self.limits.large_frames_bytes:
            return False
        self._large_bytes += size
        return True

    def release(self, size: int) -> None:
        self._large_bytes -= size

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(self.limits.heartbeat_s / self._SLICES)
            self.beat_slice()

    def beat_slice(self) -> None:
        """Visit the next slice of all connections."""
        self._turn = (self._turn + 1) % self._SLICES
        for connection in tuple(self._slices[self._turn]):
            connection.beat(self._most_silent)

    def batches(self) -> tuple[tuple[Beating, ...], ...]:
        """All connections of now, in at most as many batches as there are slices."""
        return tuple(tuple(connections) for connections in self._slices if connections)

    def leave_all(self) -> None:
        """Send every device away with a code that makes it come back elsewhere."""
        for batch in self.batches():
            for connection in batch:
                connection.leave()

    def stats(self) -> dict[str, float]:
        return {
            "connections": self._count,
            "connections_allowed": self._max_connections,
            "connections_accepted_total": self._accepted_total,
            "connections_closed_total": self.closed_total,
            "large_message_bytes": self._large_bytes,
            **self.turns.stats(),
        }
