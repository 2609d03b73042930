"""Devices that write under load, and remember what they were promised."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pycrdt import Map
from tests.raw_device import RawDevice
from websockets.exceptions import ConnectionClosed

OUTSTANDING = 16


@dataclass(slots=True)
class Ledger:
    """What one writer wrote: (its clock after the write, key), in order."""

    writes: list[tuple[int, str]] = field(default_factory=list)

    def promised(self, durable_clock: int) -> set[str]:
        """Keys whose write was acknowledged."""
        return {key for clock, key in self.writes if clock <= durable_clock}

    def unpromised(self, durable_clock: int) -> set[str]:
        return {key for clock, key in self.writes if clock > durable_clock}


class Writer:
    """Sets one leaf after the other and types, with at most `OUTSTANDING` updates unacknowledged."""

    def __init__(self, session: str, user: str) -> None:
        self.device = RawDevice(session, user)
        self.ledger = Ledger()
        self._message = ""

    async def join(self, url: str) -> None:
        await self.device.join(url)
        await self.device.until_synced()
        if not self._message:
            self._message = await self.device.say("")

    async def write_until_cut(self) -> None:
        """Go on until the socket ends."""
        try:
            while self.device.close_code is None:
                await self._write_one()
                await self.device.until(self._may_write, "there was room for another update")
        except ConnectionClosed:
            pass

    def _may_write(self) -> bool:
        return self.in_flight < OUTSTANDING or self.device.close_code is not None

    async def _write_one(self) -> None:
        number = len(self.ledger.writes)
        if number % 4 == 3:
            self.device.text_of(self._message).insert(0, "x")
        key = f"/{self.device.user}/{number}"
        self.device.doc.get("state", type=Map)[key] = number
        self.ledger.writes.append((self.device.clock, key))
        await self.device.flush()
        await asyncio.sleep(0)

    @property
    def in_flight(self) -> int:
        """Updates sent and not acknowledged."""
        return self.device.sent - self.device.acknowledged

    @property
    def promised(self) -> set[str]:
        return self.ledger.promised(self.device.durable_clock)

    @property
    def unpromised(self) -> set[str]:
        return self.ledger.unpromised(self.device.durable_clock)
