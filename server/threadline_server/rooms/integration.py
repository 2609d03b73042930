"""A large turn on its way into the replica, part by part, so that other rooms have their turns in between.

Large is one with a large update, and one of more updates than the replica takes at once.

What the log says meanwhile waits, and then goes the same way. A replica that has a turn in part has nothing
that the log has not taken; who joins then gets that, and the whole turn when all of it is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def __init__(self, log: RoomLog, turn: LoggedTurn, parts: Mapping[int, Parts] | None) -> None:
        self._log = log
        self.begin(turn, parts)

    def begin(self, turn: LoggedTurn, parts: Mapping[int, Parts] | None) -> None:
        """With the next."""
        self._parts = parts or {}
        self._entry = 0
        self.turn = turn

    def take_turn(self, until_ns: int) -> bool:
        """Integrate until about `until_ns`, and the rest in line."""
        log = self._log
        try:
            while log.integration is self:
                updates = self._next()
                if updates:
                    log.replica.integrate_some(updates)
                else:
                    log.integrated()
                if perf_counter_ns() > until_ns:
                    if log.integration is self:
                        log.host.turns.wait(self)
                    break
        except (StoreError, ProtocolError) as error:
            log.fail(error)
        return False

    def _next(self) -> Sequence[bytes]:
        """A part of an update that is large, or some that are not; none at the end."""
        entries = self.turn.turn.entries
        some: list[bytes] = []
        most = self._log.replica.at_once
        while self._entry < len(entries) and len(some) < most:
            parts = self._parts.get(self._entry)
            if parts is None:
                some.append(entries[self._entry].update)
            elif some:
                break
            else:
                part = parts.next()
                if part is not None:
                    return (part,)
            self._entry += 1
        return some
