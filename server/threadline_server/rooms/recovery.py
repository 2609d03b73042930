"""What happens when the log refuses a turn: the gate is loaded anew and what was not taken is judged again.

The replica needs no reload, it holds nothing that the log has not taken. Another node may have extended a
client id first (its device moved there and back): then most of what was refused is known, and acknowledged.
Where the log has something else under the same clocks, or the sender's lease was lost, the sender's replica
is at its end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from threadline.actors import Actor, Role
from threadline.errors import ProtocolError, Refused, SessionDeleted, SessionError, StoreError
from threadline.protocol import close_codes
from threadline_server.backplane.base import AppendRefused, Entry, Fence, StaleFence
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.draft import Draft
from threadline_server.rooms.forks import is_forked
from threadline_server.rooms.interlude import Interlude
from threadline_server.rooms.loading import Loaded, load

if TYPE_CHECKING:
    from threadline_server.rooms.room import Room

RETRY_S = 0.5


class Recovery(Interlude):
    """Made in the moment of the refusal; `run` brings the room back or closes it."""

    __slots__ = ("_error", "_lost_fence", "_withdrawn")

    def __init__(self, room: Room, error: AppendRefused) -> None:
        super().__init__(room)
        in_flight = room.log.tail.in_flight
        self._error = error
        self._lost_fence = in_flight.fence if in_flight and isinstance(error, StaleFence) else None
        self._withdrawn = room.log.tail.withdraw()
        room.log.set_gate_aside()
        room.host.counts.recoveries += 1

    async def run(self) -> None:
        try:
            await self._recover()
        finally:
            self._withdrawn = []

    async def _recover(self) -> None:
        room = self._room
        try:
            loaded = await self._load()
        except SessionDeleted:
            room.close(close_codes.SESSION_DELETED)
            return
        except (SessionError, StoreError, ProtocolError) as error:
            room.host.report("A room could not be loaded again", room.name, error)
            room.close(close_codes.ROOM_RELOADED)
            return
        if room.closed is None:
            self._resume(loaded)

    async def _load(self) -> Loaded:
        """Wait for a store that is away as long as the room is open."""
        room = self._room
        while True:
            try:
                return await load(room.host, room.name)
            except StoreError:
                if room.host.backplane.healthy or room.closed is not None:
                    raise
                await asyncio.sleep(RETRY_S)

    def _resume(self, loaded: Loaded) -> None:
        room = self._room
        room.reload(loaded)
        for draft in self._withdrawn:
            self._judge_again(draft)
        self.end()

    def _judge_again(self, draft: Draft) -> None:
        lost = draft.fence is not None and draft.fence == self._lost_fence
        for entry, sender in zip(draft.entries, draft.senders, strict=True):
            if sender is None or sender in self.ended:
                continue  # the server's own stamps are made again with what they stamp
            if lost:
                self._reject(sender, self._error.message)
            else:
                self._judge_entry(entry, sender, draft.fence)
        for contributor, count in (draft.acknowledgements or {}).items():
            if self._room.has(contributor):
                self._room.acknowledge(contributor, count)

    def _judge_entry(self, entry: Entry, sender: Contributor, fence: Fence | None) -> None:
        room = self._room
        actor = Actor(entry.user, Role(entry.role))
        try:
            gap = room.log.contribute(sender, actor, entry.update, whole=True, fence=fence)
        except (Refused, ProtocolError) as error:
            self._reject(sender, error.message)
            return
        if gap or is_forked(room.log.replica, entry):
            self._reject(sender, "the log has something else under these clocks")

    def _reject(self, sender: Contributor, reason: str) -> None:
        self.ended.add(sender)
        self._room.expel(sender, close_codes.REPLICA_REJECTED, reason)
