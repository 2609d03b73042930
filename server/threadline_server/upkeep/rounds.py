"""The clockwork of upkeep: one round after the other, never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from threadline.errors import StoreError

Chore = Callable[[], Awaitable[object]]

_log = structlog.get_logger()


class Rounds:
    """Does every chore once per round. One that the store fails is done again in the next."""

    def __init__(self, chores: Mapping[str, Chore], every_s: float) -> None:
        self._chores = dict(chores)
        self._every_s = every_s
        self.rounds = 0
        self.failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.round()

    async def round(self) -> None:
        for name, chore in self._chores.items():
            try:
                await chore()
            except StoreError as error:
                self.failures += 1
                _log.warning("upkeep is put off", chore=name, error=error.message)
        self.rounds += 1

    def stats(self) -> dict[str, float]:
        return {"rounds_total": self.rounds, "failures_total": self.failures}
