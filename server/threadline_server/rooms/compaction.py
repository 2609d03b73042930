"""A new base for a log whose tail has become long.

The base must be the log up to one position and the index beside it must know no more than that: it is taken
in a moment when gate and replica hold the same. Encoding holds the interpreter lock whichever thread does it
(25 ms for 100,000 messages), so that of a large document is made by a child process of what the log has; and
it waits until its tail weighs as much as its base.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from threadline.errors import ThreadlineError
from threadline_server.background import run_in_background
from threadline_server.backplane.base import Position
from threadline_server.rooms import encoding
from threadline_server.rooms.interlude import Lull, Standstill
from threadline_server.rooms.loading import index_for
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.room import Room
from threadline_server.rooms.room_log import tail_weight

_WORTH_A_PART = 4
"""A room leaves a new base behind when its tail weighs at least one part in so many of the old one."""


def compact_when_settled(room: Room) -> Coroutine[Any, Any, None] | None:
    """Called after each turn while the tail is long. What is given back is to be run.

    A room that is written to without pause over a store with a round trip is never settled by itself: once
    its tail is twice too long, what comes in waits for the turn on its way.
    """
    interlude = room.interlude
    if room.compacting or not (interlude is None or isinstance(interlude, Lull)):
        return None
    if room.log.settled:
        work = compact(room)
        if interlude is not None:
            interlude.end()
        return work
    if interlude is None and _is_overdue(room):
        room.interlude = Lull(room)
    return None


def _is_overdue(room: Room) -> bool:
    log, options = room.log, room.host.options
    return log.tail_turns >= 2 * options.compact_turns or log.tail_bytes >= 2 * options.compact_bytes


def is_worth_it_at_unload(options: RoomOptions, base_bytes: int, tail_turns: int, tail_bytes: int) -> bool:
    """Whether the next load should be spared this tail. That of a large document is not long because it has
    many turns: it must also weigh something beside the base.
    """
    if tail_turns < options.compact_on_unload_turns:
        return False
    return tail_weight(tail_turns, tail_bytes) * _WORTH_A_PART >= base_bytes


def compact(room: Room) -> Coroutine[Any, Any, None]:
    """Take base and index of this moment; what is given back stores them and trims the log.

    A failure is reported, and tried again when the tail has grown as long once more.
    """
    log = room.log
    size = log.base_bytes + log.tail_bytes
    log.tail_turns = log.tail_bytes = 0
    room.compacting = True
    if size >= encoding.LARGE_BYTES and encoding.POSSIBLE:
        log.base_bytes = size
        return _finish(room, _LargeBase(room).store())
    base = log.replica.encode()
    log.base_bytes = len(base)
    index = index_for(base, log.stamper.highest, log.gate.dump())
    return _finish(room, _store(room, base, index, log.position))


async def _finish(room: Room, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except ThreadlineError as error:
        room.host.counts.compaction_failures += 1
        room.host.report("A log could not be compacted", room.name, error)
    finally:
        room.compacting = False


class _LargeBase:
    """The base of this moment. Nothing is judged until its index is written, by a thread."""

    def __init__(self, room: Room) -> None:
        log = room.log
        self._room = room
        self._through = log.position
        self._replica = log.replica
        self._gate = log.gate
        self._highest = log.stamper.highest
        self._updates = log.replica.kept()
        self._replica.begin_encoding()
        self._standstill = Standstill(room)

    async def store(self) -> None:
        room, host = self._room, self._room.host
        encoded: bytes | None = None
        try:
            dumped = await self._dump_gate()
            async with host.encoding:
                updates = self._updates or await self._load()
                if updates is None:
                    return
                encoded, cuts = await run_in_background(encoding.encode_in_child, updates)
        finally:
            self._replica.take_encoding(encoded, host.options.recent_bytes)
            self._updates = None
        assert encoded is not None
        if room.log.replica is self._replica:
            room.log.base_bytes = len(encoded)
        index = await run_in_background(index_for, encoded, self._highest, dumped, cuts)
        await _store(room, encoded, index, self._through)

    async def _load(self) -> Sequence[bytes] | None:
        """What the replica was made of, from the log; None where another node's base has more by now."""
        stored = await self._room.host.backplane.load(self._room.name)
        return None if stored.base_position > self._through else stored.updates(self._through)

    async def _dump_gate(self) -> bytes:
        try:
            return await asyncio.to_thread(self._gate.dump)
        finally:
            self._standstill.end()


async def _store(room: Room, base: bytes, index: bytes, through: Position) -> None:
    await room.host.backplane.compact(room.name, room.lineage, base, index, through)
    room.host.counts.compactions += 1
