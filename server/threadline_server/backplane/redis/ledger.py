"""Small values beside sessions, a hash for each kind; how they end is told in `lua/swap.lua`."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from threadline_server.backplane.redis.keys import ledger_key
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import Script


class Ledger:
    def __init__(self, links: Links, now_ms: Callable[[], int]) -> None:
        self._links = links
        self._now_ms = now_ms

    async def get(self, kind: str, key: str) -> bytes | None:
        where = ledger_key(kind)
        stored = await self._links.call(where.slot, "HGET", where.key, key)
        return None if stored is None else self._valid(cast(bytes, stored))

    async def find_all(self, kind: str) -> dict[str, bytes]:
        where = ledger_key(kind)
        flat = cast(list[bytes], await self._links.call(where.slot, "HGETALL", where.key))
        found: dict[str, bytes] = {}
        for name, stored in zip(flat[::2], flat[1::2], strict=True):
            value = self._valid(stored)
            if value is None:
                await self.swap(kind, name.decode(), None, None, 0)
            else:
                found[name.decode()] = value
        return found

    async def lives(self, kind: str) -> dict[str, int]:
        """How many milliseconds each value lasts, 0 for ever."""
        where = ledger_key(kind)
        flat = cast(list[bytes], await self._links.call(where.slot, "HGETALL", where.key))
        now_ms = self._now_ms()
        ends = {
            name.decode(): int(stored.partition(b" ")[0])
            for name, stored in zip(flat[::2], flat[1::2], strict=True)
        }
        return {name: end and end - now_ms for name, end in ends.items() if end == 0 or end > now_ms}

    async def swap(self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int) -> bool:
        where = ledger_key(kind)
        arguments = (key, int(old is not None), old or b"", int(new is not None), new or b"", ttl_ms)
        done = await self._links.run_script(where.slot, Script.SWAP, (where.key,), *arguments)
        return bool(done)

    def _valid(self, stored: bytes) -> bytes | None:
        until_ms, _, value = stored.partition(b" ")
        return None if 0 < int(until_ms) <= self._now_ms() else value
