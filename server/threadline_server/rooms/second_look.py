"""What was refused may be what another node let through: the log is read to its head, and the update judged
once more.

A device that comes from another node brings what it was sent there, of the agent and of other users. As long
as this node has not heard of it from the log, such client ids are unknown, and would be the sender's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadline.errors import SessionError, StoreError
from threadline.protocol import close_codes
from threadline_server.rooms.interlude import Interlude, Waiting
from threadline_server.rooms.seat import Seat

if TYPE_CHECKING:
    from threadline_server.rooms.room import Room


class SecondLook(Interlude):
    """Made in the moment of the refusal; `run` reads the log and goes on. What comes in meanwhile waits."""

    __slots__ = ("_seat",)

    def __init__(self, room: Room, seat: Seat, update: bytes) -> None:
        super().__init__(room)
        self._seat = seat
        self._wait_first(Waiting(seat, update, whole=True, fence=None))

    async def run(self) -> None:
        """A recovery that begins meanwhile takes over what waits here, and has loaded all of the log."""
        room = self._room
        try:
            await room.catch_up()
        except (SessionError, StoreError) as error:
            room.host.report("The log could not be read", room.name, error)
            if room.interlude is self:
                self.ended.add(self._seat)
                room.expel(self._seat, close_codes.ROOM_RELOADED)
        if room.interlude is self:
            self.end()

    def end(self) -> None:
        """The first of what waits is what was refused; now its judgement stands."""
        refused = self._next()
        if refused.contributor not in self.ended and self._room.has(refused.contributor):
            self._room.take_in(refused.contributor, refused.update, whole=True, at_head=True)
        super().end()
