"""Whether the loop rests between flushes, so that more is done at a time.

A turn of the loop has a price of its own, whatever it brings: a wake-up, a write to the log, code and data
that the caches have lost meanwhile. With one or two updates to a turn that is a third of what an update
costs. Where many rooms make thousands of turns a second, the loop therefore rests for a millisecond when
nothing is left to be done, and what comes in the meantime is done together.
Otherwise nothing waits: not what a single room makes, whose next turn may be the answer to the last one, and
not where a turn is still on its way, to the log or to be acknowledged, which would be late.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Final

REST_S: Final = 0.001
_BUSY_TURNS_PER_S: Final = 5_000
_MANY_ROOMS: Final = 20
_WINDOW_S: Final = 0.02


class FlushPace:
    """rests: the loop is to rest for `REST_S` when it is idle, as of what the log took lately."""

    __slots__ = ("_now_s", "_rooms", "_since_s", "_turns", "rests")

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.rests = False
        self._now_s = now_s
        self._rooms: set[Hashable] = set()
        self._turns = 0
        self._since_s = now_s()

    def note(self, rooms: Collection[Hashable]) -> None:
        """A turn of each of these was taken in one flush, and nobody waits to be told that it is durable."""
        self._rooms.update(rooms)
        self._turns += len(rooms)
        passed_s = self._now_s() - self._since_s
        if passed_s >= _WINDOW_S:
            self.rests = len(self._rooms) > _MANY_ROOMS and self._turns > _BUSY_TURNS_PER_S * passed_s
            self._rooms.clear()
            self._turns = 0
            self._since_s += passed_s
