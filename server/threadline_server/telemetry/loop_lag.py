"""How late the event loop is: a sleep that ends late was kept waiting by whatever else ran."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from threadline_server.telemetry.histogram import LATENCIES_S, Histogram

EVERY_S = 0.25


class LoopLag:
    def __init__(self) -> None:
        self._lag_s = Histogram(LATENCIES_S)
        self._most_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.note(loop.time() - due_s)

    def note(self, lag_s: float) -> None:
        lag_s = max(0.0, lag_s)
        self._most_s = max(self._most_s, lag_s)
        self._lag_s.observe(lag_s)

    def stats(self) -> Mapping[str, float | Histogram]:
        """`most_seconds` is the longest since the last call."""
        most_s, self._most_s = self._most_s, 0.0
        return {"lag_seconds": self._lag_s, "lag_most_seconds": most_s}
