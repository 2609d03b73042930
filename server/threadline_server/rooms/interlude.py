"""A while in which a room judges nothing: what comes in waits, in order, and is judged when it is over."""

from __future__ import annotations

from dataclasses import dataclass
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

    As it is, it waits for a moment in which the log has taken everything, to make a base (`compaction`).
    """

    __slots__ = ("_room", "_waiting", "ended")

    def __init__(self, room: Room, before: Interlude | None = None) -> None:
        self._room = room
        self._waiting: list[Waiting] = before._waiting if before is not None else []
        self.ended: set[Contributor] = set()

    def wait(
        self, contributor: Contributor, update: bytes, *, whole: bool = False, fence: Fence | None = None
    ) -> None:
        """Judge this when it is over."""
        if not self._room.overfull(contributor):
            self._room.log.tail.size += len(update)
            self._waiting.append(Waiting(contributor, update, whole, fence))

    def end(self) -> None:
        """Go on, with what has waited first; who left meanwhile is told nothing."""
        room = self._room
        room.interlude = None
        for waiting in self._waiting:
            contributor = waiting.contributor
            room.log.tail.size -= len(waiting.update)
            if contributor in self.ended:
                continue
            if room.interlude is not None:  # it began with something that waited before this
                room.interlude.wait(contributor, waiting.update, whole=waiting.whole, fence=waiting.fence)
            else:
                room.take_in(contributor, waiting.update, whole=waiting.whole, fence=waiting.fence)
                if not room.has(contributor):
                    room.log.tail.forget(contributor)
