"""Waiting until something is so, woken by whoever changes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changed:
    """Wakes every task that waits, each time `notify` is called; none is lost, none is queued."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.count = 0

    def notify(self) -> None:
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Until the next `notify`."""
        await self._event.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until `holds()` is true; it is asked now and after each `notify`."""
        while not holds():
            await self._event.wait()
