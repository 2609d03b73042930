"""Which primary serves which slot: one Redis, the primary that Sentinels name, or a Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from threadline_server.backplane.redis.endpoint import Address, Endpoint
from threadline_server.backplane.redis.keys import SLOTS
from threadline_server.backplane.redis.link import CONNECT_S, RedisAway, RedisRefused, connect, info_fields
from threadline_server.backplane.redis.sentinels import ask_sentinels


class Topology:
    """primaries: every primary that is known, empty before the first `refresh`"""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.primaries: tuple[Address, ...] = ()
        self.is_cluster = endpoint.cluster
        self.on_change: list[Callable[[], None]] = []
        self._owners: list[Address | None] = [None] * SLOTS

    def owner(self, slot: int) -> Address | None:
        return self._owners[slot]

    def move(self, slot: int, owner: Address) -> None:
        """What a Cluster node said of one slot."""
        self._owners[slot] = owner
        if owner not in self.primaries:
            self.primaries = (*self.primaries, owner)
            self._changed()

    async def refresh(self) -> None:
        """Ask again. Raises RedisAway, RedisRefused."""
        if self.endpoint.sentinel is not None:
            self._use_one(await ask_sentinels(self.endpoint, self.endpoint.sentinel))
            return
        error: Exception | None = None
        for address in (*self.primaries, *self.endpoint.addresses):
            try:
                await self._ask(address)
            except (RedisAway, RedisRefused) as refusal:
                error = error or refusal
                continue
            return
        raise error or RedisAway("No address of Redis is known.")

    async def _ask(self, address: Address) -> None:
        link = await connect(self.endpoint, address)
        try:
            async with asyncio.timeout(CONNECT_S):
                self.is_cluster = (
                    info_fields(await link.call("INFO", "cluster")).get("cluster_enabled") == "1"
                )
                ranges = await link.call("CLUSTER", "SLOTS") if self.is_cluster else None
        except TimeoutError as error:
            raise RedisAway(f"Redis at {address} does not answer.") from error
        finally:
            link.abort()
        if ranges is None:
            self._use_one(address)
        else:
            self._use_ranges(ranges, address)

    def _use_one(self, address: Address) -> None:
        self._owners = [address] * SLOTS
        self._set_primaries((address,))

    def _use_ranges(self, ranges: list[list[object]], asked: Address) -> None:
        owners: list[Address | None] = [None] * SLOTS
        for first, last, primary, *_ in ranges:
            assert isinstance(first, int)
            assert isinstance(last, int)
            assert isinstance(primary, list)
            host = primary[0].decode() if primary[0] else asked.host
            owners[first : last + 1] = [Address(host, primary[1])] * (last - first + 1)
        if not any(owners):
            raise RedisAway(f"The Cluster at {asked} serves no slots yet.")
        self._owners = owners
        self._set_primaries(tuple(dict.fromkeys(owner for owner in owners if owner is not None)))

    def _set_primaries(self, primaries: tuple[Address, ...]) -> None:
        if primaries != self.primaries:
            self.primaries = primaries
            self._changed()

    def _changed(self) -> None:
        for call in self.on_change:
            call()
