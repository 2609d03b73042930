"""A new base for a log whose tail has become long.

The base must be the log up to one position and the index beside it must know no more than that: it is taken
in a moment when gate and replica hold the same. Encoding holds the interpreter lock whichever thread does it
(25 ms for 100,000 messages), so a large document waits until its tail is a tenth of its base.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from threadline.errors import ThreadlineError
from threadline_server.backplane.base import Position
from threadline_server.rooms.loading import dump_gate
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.room import Room

_TENTH = 10


def is_due(room: Room, options: RoomOptions) -> bool:
    """Whether the tail is long or large enough, and base and index can be taken now."""
    log = room.log
    if room.compacting or room.recovery is not None or not log.tail.settled:
        return False
    if log.tail_bytes * _TENTH < log.base_bytes:
        return False
    return log.tail_turns >= options.compact_turns or log.tail_bytes >= options.compact_bytes


def is_worth_it_at_unload(room: Room, options: RoomOptions) -> bool:
    log = room.log
    return log.tail_turns >= options.compact_on_unload_turns and log.tail.settled and room.recovery is None


def compact(room: Room) -> Coroutine[Any, Any, None]:
    """Take base and index now; what is given back stores them and trims the log.

    A failure is reported, and tried again when the tail has grown as long once more.
    """
    log = room.log
    snapshot = _Snapshot(
        log.replica.encode(),
        dump_gate(log.gate, log.stamper.highest),
        log.position,
        log.tail_turns,
        log.tail_bytes,
    )
    log.tail_turns = log.tail_bytes = 0
    room.compacting = True
    return _store(room, snapshot)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    base: bytes
    index: bytes
    through: Position
    turns: int
    bytes: int


async def _store(room: Room, snapshot: _Snapshot) -> None:
    log, host = room.log, room.host
    try:
        await host.backplane.compact(log.name, log.lineage, snapshot.base, snapshot.index, snapshot.through)
        log.base_bytes = len(snapshot.base)
        host.counts.compactions += 1
    except ThreadlineError as error:
        host.counts.compaction_failures += 1
        host.report("A log could not be compacted", log.name, error)
        log.tail_turns += snapshot.turns
        log.tail_bytes += snapshot.bytes
    finally:
        room.compacting = False
