"""A while in which a room judges nothing: what comes in waits, in order, and is judged when it is over."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

from threadline_server.backplane.base import Fence
from threadline_server.rooms.contributor import Contributor

if TYPE_CHECKING:
    from threadline_server.rooms.room import Room


@dataclass(frozen=True, slots=True)
class Waiting:
    contributor: Contributor
    update: bytes
    whole: bool
    fence: Fence | None


class Interlude:
    """Its size counts as not durable, so the bounds of the tail hold. `ended` are those sent away in it.

    One that begins in another takes over what waits there. When it is over, what has waited is judged; the
    interlude goes on for as long as that takes, so everything stays in order.
    """

    __slots__ = ("_room", "_waiting", "ended")

    def __init__(self, room: Room) -> None:
        before = room.interlude
        self._room = room
        self._waiting: deque[Waiting] = deque() if before is None else before._waiting
        self.ended: set[Contributor] = set() if before is None else before.ended

    def wait(
        self, contributor: Contributor, update: bytes, *, whole: bool = False, fence: Fence | None = None
    ) -> None:
        """Judge this when it is over."""
        if not self._room.overfull(contributor):
            self._room.log.tail.size += len(update)
            self._waiting.append(Waiting(contributor, update, whole, fence))

    def _wait_first(self, waiting: Waiting) -> None:
        """Judge this before all that waits."""
        self._room.log.tail.size += len(waiting.update)
        self._waiting.appendleft(waiting)

    def _next(self) -> Waiting:
        waiting = self._waiting.popleft()
        self._room.log.tail.size -= len(waiting.update)
        return waiting

    def end(self) -> None:
        """Go on, with what has waited first; who left meanwhile is told nothing."""
        self.take_turn(perf_counter_ns() + self._room.host.turns.at_once_ns)

    def take_turn(self, until_ns: int) -> bool:
        """Judge what has waited until about `until_ns`, and the rest in line."""
        room = self._room
        while room.interlude is self and room.closed is None:  # and none began with what waited here
            if not self._waiting:
                room.interlude = None
                break
            self._judge(self._next())
            if self._waiting and perf_counter_ns() > until_ns and room.interlude is self:
                room.host.turns.wait(self)
                break
        return False

    def _judge(self, waiting: Waiting) -> None:
        room = self._room
        contributor = waiting.contributor
        if contributor not in self.ended:
            room.take_in(contributor, waiting.update, whole=waiting.whole, fence=waiting.fence)
            if not room.has(contributor):
                room.log.tail.forget(contributor)


class Lull(Interlude):
    """Waits for a moment in which the log has taken everything, to make a base (`compaction`)."""

    __slots__ = ()


class Standstill(Interlude):
    """Begins in such a moment, and keeps the gate as it is then."""

    __slots__ = ()

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        room.interlude = self
        room.log.set_gate_aside()

    def end(self) -> None:
        """A recovery that began meanwhile has taken over."""
        if self._room.interlude is self:
            self._room.log.bring_gate_back()
            super().end()
