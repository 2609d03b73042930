"""An update that takes the gate long is heard in line, so that other rooms have their turns in between.

What comes into this room meanwhile waits, and the gate hears of turns of other nodes afterwards: as if they
had come a little later.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from threadline.errors import ProtocolError, Refused
from threadline_server.rooms.hearing import Hearing
from threadline_server.rooms.interlude import Interlude, Waiting

if TYPE_CHECKING:
    from threadline_server.rooms.room import Room


class LongHearing(Interlude):
    """Goes on with a hearing. The update is the first of what waits: should the log refuse something, the
    recovery that begins then has another gate judge it.
    """

    __slots__ = ("_account", "_at_head", "_heard", "_hearing")

    def __init__(self, room: Room, hearing: Hearing, heard: Waiting, *, at_head: bool) -> None:
        super().__init__(room)
        self._hearing = hearing
        self._at_head = at_head
        self._heard = False
        self._account = room.host.turns.account_of(heard.contributor.actor.user)
        self._wait_first(heard)
        room.log.set_gate_aside()
        room.interlude = self
        room.host.counts.long_hearings += 1
        room.host.turns.wait(self)

    def take_turn(self, until_ns: int) -> bool:
        room = self._room
        if room.interlude is not self or room.closed is not None:
            return False
        began_ns = perf_counter_ns()
        turns = room.host.turns
        if not self._heard:
            self._go_on(until_ns)
        elif self._hearing.parsed.let_go(until_ns):
            return super().take_turn(until_ns)
        turns.charge(self._account, began_ns, perf_counter_ns())
        if room.interlude is self:
            turns.wait(self)
        return False

    def _go_on(self, until_ns: int) -> None:
        room = self._room
        error: Refused | ProtocolError | None = None
        try:
            if not self._hearing.advance(until_ns):
                return
        except (Refused, ProtocolError) as caught:
            error = caught
        self._heard = True
        heard = self._next()
        room.log.bring_gate_back()
        room.conclude(self._hearing, heard, error, at_head=self._at_head)
        if not room.has(heard.contributor):
            room.log.tail.forget(heard.contributor)
