"""Run hints on their way to whoever waits for them in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from threadline_server.backplane.base import RunHint

MAX_HINTS = 1_000


class Hints:
    """Run hints for whoever iterates; each of them gets every hint, the oldest are dropped past the bound."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[RunHint]] = set()

    def give(self, hint: RunHint) -> None:
        for waiting in self._queues:
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(hint)

    async def iterate(self) -> AsyncIterator[RunHint]:
        waiting: asyncio.Queue[RunHint] = asyncio.Queue(MAX_HINTS)
        self._queues.add(waiting)
        try:
            while True:
                yield await waiting.get()
        finally:
            self._queues.discard(waiting)
