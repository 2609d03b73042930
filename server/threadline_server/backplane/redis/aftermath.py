"""What a Redis that ended leaves behind: turns it had taken and may not have written.

Each is looked for in the process that answers now, and sent again where it is gone. Newer turns of the same
primary are held meanwhile, and until other nodes have had time to do the same: a turn may lean on any that
its node has seen. So turns are in the log, and become durable, in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from threadline.errors import StoreError
from threadline_server.backplane.redis.confirmer import Confirmer
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.replication import Replication
from threadline_server.backplane.redis.topology import Topology
from threadline_server.backplane.redis.writer import Sending, Writer

RETRY_S = 0.2

Written = Sending | asyncio.Future[None]


class Aftermath:
    """Stands before the confirmer: every turn that was taken comes by here."""

    def __init__(
        self,
        topology: Topology,
        confirmer: Confirmer[Written],
        replication: Replication,
        start: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._topology = topology
        self._confirmer = confirmer
        self._replication = replication
        self._start = start
        self._doubtful: dict[Address, deque[Sending]] = {}
        self._newer: dict[Address, list[Sending]] = {}

    def __len__(self) -> int:
        """Turns that the confirmer was not given yet."""
        waiting = (*self._doubtful.values(), *self._newer.values())
        return sum(map(len, waiting))

    def confirm(self, sending: Sending) -> None:
        """It was taken just now: for the first time, or once more."""
        owner = self._topology.owner(sending.keys.of.slot)
        newer = self._newer.get(owner) if owner is not None else None
        if newer is None or sending.retaken is not None:
            self._confirmer.add(sending.keys.of.slot, sending, awaited=sending.append.awaited)
        else:
            newer.append(sending)

    def restarted(self, address: Address, writer: Writer) -> None:
        """Another process answers for this primary now."""
        unwritten = self._confirmer.take_back(address)
        for item in unwritten:
            if isinstance(item, asyncio.Future) and not item.done():
                item.set_exception(StoreError("Redis was restarted before it had written this."))
        turns = [item for item in unwritten if isinstance(item, Sending)]
        doubtful = self._doubtful.get(address)
        if doubtful is not None:  # it was restarted once more: what was found is in doubt again
            doubtful.extendleft(reversed(turns))
            return
        self._doubtful[address] = deque(turns)
        self._newer[address] = []
        writer.hold(address)
        self._start(self._settle(address, writer))

    async def _settle(self, address: Address, writer: Writer) -> None:
        doubtful = self._doubtful[address]
        looked = False
        while doubtful or not looked:
            looked = await self._has_looked(address, doubtful, writer)
            if not looked:
                await asyncio.sleep(RETRY_S)
        writer.release(address)
        del self._doubtful[address]
        for sending in self._newer.pop(address):
            self.confirm(sending)

    async def _has_looked(self, address: Address, doubtful: deque[Sending], writer: Writer) -> bool:
        """Whether Redis could be asked for all of them, and for what other nodes wrote."""
        try:
            while doubtful:
                sending = doubtful[0]
                await self._replication.verify_own(sending, writer, self._found)
                doubtful.remove(sending)
            await self._replication.verify_followers(address, writer.drop_held)
        except StoreError:
            return False
        return True

    def _found(self, sending: Sending) -> None:
        self._confirmer.add(sending.keys.of.slot, sending)
