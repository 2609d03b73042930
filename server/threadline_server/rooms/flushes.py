"""Hands the turns of rooms to the log: all dirty rooms at the end of a loop turn, in one call.

What came of work that stood in line (`Turns`) stands in line too, room by room, so nobody who asks little of
the node waits for the commits and fan-outs of those who ask much; these are fewer and larger then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from time import perf_counter_ns
from typing import Final

from threadline_server.rooms.draft import Outgoing
from threadline_server.rooms.flush_pace import REST_S, FlushPace
from threadline_server.rooms.host import Host
from threadline_server.rooms.room import Room
from threadline_server.rooms.turn_trace import TurnTrace
from threadline_server.rooms.turns import FOR_EVER

_LATE_NS: Final = 1_000_000
"""Where many sockets have something at once, what was made of the first does not wait longer for the rest."""


class Flushes:
    """Rooms say that they are dirty by `mark`; each is then flushed once, soon."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pace = FlushPace(host.now_s)
        self._dirty: list[Room] = []
        self._in_line: dict[Room, None] = {}
        self._stands = False
        self._scheduled = False
        self._resting = False
        host.turns.flush = self._flush_dirty
        host.mark_dirty = self.mark

    def mark(self, room: Room) -> None:
        turns = self._host.turns
        if turns.serving:
            self._in_line[room] = None
            if not self._stands:
                self._stands = True
                turns.wait(self)
            return
        room.dirty = True
        if not self._dirty:
            turns.flush_by_ns = perf_counter_ns() + _LATE_NS
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._dirty.append(room)

    def _end_turn(self) -> None:
        """All sockets that had something were read."""
        self._scheduled = False
        self._flush_dirty()
        if self._pace.rests and not self._resting:
            self._resting = True
            asyncio.get_running_loop().call_soon(self._rest)

    def flush(self) -> None:
        """Now, whatever waits."""
        self._flush_dirty()
        self.take_turn(FOR_EVER)

    def take_turn(self, until_ns: int) -> bool:
        """What `Turns` calls when those before it in line had theirs: flush one room after the other."""
        rooms = self._in_line
        while rooms:
            room = next(iter(rooms))
            del rooms[room]
            self._flush((room,))
            if perf_counter_ns() > until_ns:
                break
        self._stands = bool(rooms)
        if rooms:
            self._host.turns.wait(self)
        return False

    def _flush_dirty(self) -> None:
        rooms, self._dirty = self._dirty, []
        for room in rooms:
            room.dirty = False
        self._host.turns.flush_by_ns = FOR_EVER
        self._flush(rooms)

    def _rest(self) -> None:
        """The loop itself waits: nothing else keeps it from looking at each socket as soon as it has
        something. What came since the last flush is flushed first.
        """
        self._resting = False
        if not self._dirty:
            time.sleep(REST_S)

    def _flush(self, rooms: Collection[Room]) -> None:
        """Hand over their turns, then tell members who came and went."""
        appends = []
        for room in rooms:
            outgoing = room.log.next_append()
            if outgoing is not None:
                appends.append(outgoing)
        if appends:
            self._hand_over(appends)
            self._pace.note([each.document for each in appends if each.taken and not each.awaited])
        for room in rooms:
            room.presence.flush(room.seats.values())

    def _hand_over(self, appends: Sequence[Outgoing]) -> None:
        host = self._host
        appends[0].handed_s = host.now_s()
        if host.tracing is not None:
            appends[0].trace = TurnTrace(host.tracing)
        host.backplane.append(appends)
        host.counts.flushes += 1
        host.timings.flush_turns.observe(len(appends))
