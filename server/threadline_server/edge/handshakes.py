"""How many sockets are let in at once.

After a restart thousands of devices come back within seconds. Served all together, each of them would wait
for all, and so would the page, the health check and who is in already. A few at a time, in the order in which
they came, are done just as soon, and the loop stays free in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MOST_AT_ONCE = 64
MOST_WAITING = 20_000
HELD_S = 2.0
"""A handshake that takes longer waits for something else: its place goes to the next."""


class Handshakes:
    """running: places that are taken. One that waits costs no task."""

    def __init__(self, most: int = MOST_AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self.running = 0
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: deque[Callable[[Place], None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(self, start: Callable[[Place], None]) -> bool:
        """Call `start` when there is a place, which it must leave; False where too many wait already."""
        if self.running < self._most:
            self.running += 1
            start(Place(self))
        elif len(self._waiting) < self._most_waiting:
            self._waiting.append(start)
        else:
            return False
        return True

    async def turn(self) -> Place:
        """A place, once it is there. Waits with a task of the caller's, so nobody is turned away."""
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()

        def begin(place: Place) -> None:
            if turn.done():  # cancelled meanwhile
                asyncio.get_running_loop().call_soon(place.leave)
            else:
                turn.set_result(place)

        if self.running < self._most:
            self.enter(begin)
        else:
            self._waiting.append(begin)
        return await turn

    def _left(self) -> None:
        if self._waiting:
            self._waiting.popleft()(Place(self))
        else:
            self.running -= 1


class Place:
    """Left once, by who has it or by its time."""

    __slots__ = ("_handshakes", "_timer")

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes: Handshakes | None = handshakes
        self._timer = asyncio.get_running_loop().call_later(HELD_S, self.leave)

    def leave(self) -> None:
        handshakes, self._handshakes = self._handshakes, None
        if handshakes is not None:
            self._timer.cancel()
            handshakes._left()
