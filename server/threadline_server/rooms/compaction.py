"""A new base for a log whose tail has become long.

The base must be the log up to one position and the index beside it must know no more than that: it is taken
in a moment when gate and replica hold the same. Encoding holds the interpreter lock whichever thread does it
(25 ms for 100,000 messages), so that of a large document is made by a child process of what the log has; and
it waits until its tail weighs as much as its base.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from threadline.errors import ThreadlineError
from threadline_server.backplane.base import Position
from threadline_server.rooms import encoding
from threadline_server.rooms.interlude import Lull
from threadline_server.rooms.loading import dump_gate, index_for
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.replica import Replica
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
    dumped = dump_gate(log.gate, log.stamper.highest)
    size = log.base_bytes + log.tail_bytes
    log.tail_turns = log.tail_bytes = 0
    room.compacting = True
    if size < encoding.LARGE_BYTES or not encoding.POSSIBLE:
        base = log.replica.encode()
        log.base_bytes = len(base)
        return _finish(room, _store(room, base, index_for(base, dumped), log.position))
    log.base_bytes = size
    log.replica.begin_encoding()
    return _finish(room, _store_large(room, log.replica, dumped, log.position))


async def _finish(room: Room, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except ThreadlineError as error:
        room.host.counts.compaction_failures += 1
        room.host.report("A log could not be compacted", room.name, error)
    finally:
        room.compacting = False


async def _store_large(room: Room, replica: Replica, dumped: bytes, through: Position) -> None:
    host = room.host
    base = None
    try:
        stored = await host.backplane.load(room.name)
        if stored.base_position > through:
            return  # another node was quicker
        async with host.encoding:
            base = await asyncio.to_thread(encoding.encode_in_child, stored.updates(through))
    finally:
        replica.take_encoding(base, host.options.recent_bytes)
    if room.log.replica is replica:
        room.log.base_bytes = len(base)
    await _store(room, base, await asyncio.to_thread(index_for, base, dumped), through)


async def _store(room: Room, base: bytes, index: bytes, through: Position) -> None:
    await room.host.backplane.compact(room.name, room.lineage, base, index, through)
    room.host.counts.compactions += 1
