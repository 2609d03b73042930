"""Whether flushes follow at once or wait for each other.

A flush has a price of its own, whatever is in it: a write to the log, a wake-up of the thread that syncs, a
few turns of the loop. With one or two turns to a flush that is a tenth of what a turn costs. Where many rooms
make tens of thousands of turns a second, flushes are therefore a millisecond apart. Otherwise a turn waits
for nothing, and neither does a single room whose next turn may be the answer to the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

SPACING_S = 0.001
_BUSY_TURNS_PER_S = 20_000
_MANY_ROOMS = 20
_WINDOW_S = 0.02


class FlushPace:
    """spaced: flushes are to be `SPACING_S` apart, as of what was handed to the log lately."""

    __slots__ = ("_now_s", "_rooms", "_since_s", "_turns", "spaced")

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.spaced = False
        self._now_s = now_s
        self._rooms: set[Hashable] = set()
        self._turns = 0
        self._since_s = now_s()

    def note(self, rooms: Collection[Hashable]) -> None:
        """A turn of each of these was handed to the log in one flush."""
        self._rooms.update(rooms)
        self._turns += len(rooms)
        passed_s = self._now_s() - self._since_s
        if passed_s >= _WINDOW_S:
            self.spaced = len(self._rooms) > _MANY_ROOMS and self._turns > _BUSY_TURNS_PER_S * passed_s
            self._rooms.clear()
            self._turns = 0
            self._since_s += passed_s
