"""A large turn on its way into the replica, part by part, so that other rooms have their turns in between.

What the log says meanwhile waits. A replica that has a turn in part has nothing that the log has not taken;
who joins then gets that, and the whole turn when all of it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import TYPE_CHECKING

from threadline.errors import ProtocolError, StoreError
from threadline_server.backplane.base import LoggedTurn
from threadline_server.rooms.update_writer import Parts

if TYPE_CHECKING:
    from threadline_server.rooms.room_log import RoomLog


class Integration:
    """`parts` are those of the entries that are large, by their place in the turn."""

    __slots__ = ("_entry", "_log", "_parts", "turn")

    def __init__(self, log: RoomLog, turn: LoggedTurn, parts: Mapping[int, Parts]) -> None:
        self._log = log
        self._parts = parts
        self._entry = 0
        self.turn = turn

    def take_turn(self, until_ns: int) -> bool:
        """Integrate until about `until_ns`, and the rest in line."""
        log = self._log
        try:
            while log.integration is self:
                part = self._next()
                if part is None:
                    log.integrated()
                    break
                log.replica.integrate_part(part)
                if perf_counter_ns() > until_ns:
                    log.host.turns.wait(self)
                    break
        except (StoreError, ProtocolError) as error:
            log.fail(error)
        return False

    def _next(self) -> bytes | None:
        entries = self.turn.turn.entries
        while self._entry < len(entries):
            parts = self._parts.get(self._entry)
            if parts is None:
                self._entry += 1
                return entries[self._entry - 1].update
            part = parts.next()
            if part is not None:
                return part
            self._entry += 1
        return None
