"""The clockwork of upkeep: one round after the other, never two at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from threadline.errors import StoreError
from threadline_server.telemetry.metrics import Labelled

LONGEST_CHORE_S = 60.0

Chore = Callable[[], Awaitable[int | None]]
"""Does a bounded part of what is due and goes on from there the next time; gives back how much was done."""

_log = structlog.get_logger()


class Rounds:
    """Does every chore once per round. One that the store fails, or that takes too long, is done again in the
    next.
    """

    def __init__(
        self, chores: Mapping[str, Chore], every_s: float, longest_chore_s: float = LONGEST_CHORE_S
    ) -> None:
        self._chores = dict(chores)
        self._every_s = every_s
        self._longest_chore_s = longest_chore_s
        self.rounds = 0
        self.done = dict.fromkeys(chores, 0)
        self.failures = dict.fromkeys(chores, 0)
        self.seconds = dict.fromkeys(chores, 0.0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.round()

    async def round(self) -> None:
        for name, chore in self._chores.items():
            began_s = time.monotonic()
            try:
                async with asyncio.timeout(self._longest_chore_s):
                    self.done[name] += await chore() or 0
            except (StoreError, TimeoutError) as error:
                self.failures[name] += 1
                why = error.message if isinstance(error, StoreError) else "it took too long"
                _log.warning("upkeep is put off", chore=name, error=why)
            self.seconds[name] += time.monotonic() - began_s
        self.rounds += 1

    def stats(self) -> dict[str, float | Labelled]:
        """`done_total` counts what each chore did: sessions expired, keys removed, runs ended."""
        return {
            "rounds_total": self.rounds,
            "failures_total": sum(self.failures.values()),
            "done_total": Labelled("chore", self.done),
            "chore_failures_total": Labelled("chore", self.failures),
            "chore_seconds_total": Labelled("chore", self.seconds),
        }


class Seldom:
    """A chore that is done in one round of many."""

    def __init__(self, chore: Chore, every: int) -> None:
        self._chore = chore
        self._every = every
        self._rounds = 0

    async def round(self) -> int:
        self._rounds += 1
        if self._rounds % self._every:
            return 0
        return await self._chore() or 0
